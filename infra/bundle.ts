import { fileURLToPath } from 'node:url';
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda';
import { type BundlingOptions, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** What all lambdas have in common: the code of a folder below lambdas/. */
export const codeOf = (folder: string) => ({
  entry: `${repository}lambdas/${folder}/handler.ts`,
  projectRoot: repository,
  depsLockFilePath: `${repository}package-lock.json`,
  runtime: Runtime.NODEJS_24_X,
  architecture: Architecture.ARM_64,
});

/** How it becomes one file. */
export const bundling: BundlingOptions = {
  format: OutputFormat.ESM,
  target: 'node24',
  mainFields: ['module', 'main'],
  minify: true,
  // No source maps: Node.js would read them at each cold start.
  // The SDK is bundled: only what is used, in the version that was tested.
  bundleAwsSDK: true,
  // Some of its parts are CommonJS and call require, which an ES module has not.
  banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
};
