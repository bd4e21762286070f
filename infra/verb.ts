import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Tracing } from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type EnvironmentName, environmentOf } from '#domain/contracts/verb';
import { functionName } from '#domain/naming';
import { contractOf, type Verb } from '#lambdas/verbs';
import { bundling, codeOf } from './bundle.ts';

export interface VerbProps {
  readonly verb: Verb;
  /** What the environments of lambdas are made of; each gets what its row asks for. */
  readonly environment: Readonly<Record<EnvironmentName, string>>;
  /** The file that becomes holdfast.json beside the bundles that read it, so that a changed configuration is a changed lambda. */
  readonly configFile: string;
}

/** The lambda of a verb as its row describes it: bundled, with a role and a log group of its own. */
export class VerbFunction extends Construct {
  readonly function: NodejsFunction;

  constructor(scope: Construct, id: string, { verb, environment, configFile }: VerbProps) {
    super(scope, id);
    const row = contractOf(verb);
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/holdfast/lambda/${verb}`,
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    this.function = new NodejsFunction(this, 'Function', {
      ...codeOf(verb),
      functionName: functionName(verb),
      description: `Holdfast: ${row.does}`,
      memorySize: row.memorySize ?? 512,
      timeout: Duration.seconds(row.timeoutSeconds ?? 60),
      role,
      logGroup,
      tracing: Tracing.ACTIVE,
      environment: {
        ...Object.fromEntries(environmentOf(row).map((name) => [name, environment[name]])),
        POWERTOOLS_SERVICE_NAME: 'holdfast',
      },
      bundling: {
        ...bundling,
        ...(row.config && {
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
