import { fileURLToPath } from 'node:url';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction, OutputFormat } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { functionName, type Verb } from '#domain/naming';

export interface VerbProps {
  readonly verb: Verb;
  readonly environment: Readonly<Record<string, string>>;
  /** The file that becomes holdfast.json beside the bundle, so that a changed configuration is a changed lambda. */
  readonly configFile?: string;
  readonly timeout?: Duration;
  /** In MiB; processors come with it: 1769 are one. */
  readonly memorySize?: number;
}

const repository = fileURLToPath(new URL('..', import.meta.url));

/** One lambda: bundled, with a role and a log group of its own. */
export class VerbFunction extends Construct {
  readonly function: NodejsFunction;

  constructor(scope: Construct, id: string, { verb, environment, configFile, timeout, memorySize }: VerbProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/holdfast/lambda/${verb}`,
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    this.function = new NodejsFunction(this, 'Function', {
      functionName: functionName(verb),
      description: `Holdfast: ${verb}`,
      entry: `${repository}lambdas/${verb}/handler.ts`,
      projectRoot: repository,
      depsLockFilePath: `${repository}package-lock.json`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: memorySize ?? 512,
      timeout: timeout ?? Duration.seconds(60),
      role,
      logGroup,
      tracing: Tracing.ACTIVE,
      environment: { ...environment, POWERTOOLS_SERVICE_NAME: 'holdfast', NODE_OPTIONS: '--enable-source-maps' },
      bundling: {
        format: OutputFormat.ESM,
        target: 'node24',
        mainFields: ['module', 'main'],
        minify: true,
        sourceMap: false,
        // The SDK is bundled: only what is used, in the version that was tested.
        bundleAwsSDK: true,
        // Some of its parts are CommonJS and call require, which an ES module has not.
        banner: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
        ...(configFile !== undefined && {
          commandHooks: {
            beforeBundling: () => [],
            beforeInstall: () => [],
            afterBundling: (_input: string, output: string) => [`cp '${configFile}' '${output}/holdfast.json'`],
          },
        }),
      },
    });
  }
}
