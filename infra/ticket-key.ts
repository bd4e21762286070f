import { CustomResource, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { functionName } from '#domain/naming';
import { bundling, codeOf } from './bundle.ts';

/** The public half of a key, for what is deployed with it inside: CloudFormation knows no attribute of a key that has it. */
export class PublicKey extends Construct {
  /** In base64. */
  readonly value: string;

  constructor(scope: Construct, id: string, { key }: { readonly key: IKey }) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: '/holdfast/lambda/ticket-key',
      retention: RetentionDays.THREE_MONTHS,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    role.addToPolicy(new PolicyStatement({ actions: ['kms:GetPublicKey'], resources: [key.keyArn] }));
    const tell = new NodejsFunction(this, 'Function', {
      ...codeOf('ticket-key'),
      functionName: functionName('ticket-key'),
      description: 'Holdfast: Tells CloudFormation the public key that documents check tickets with.',
      timeout: Duration.minutes(2),
      role,
      logGroup,
      bundling,
    });
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::HoldfastTicketKey',
      serviceToken: tell.functionArn,
      serviceTimeout: Duration.minutes(5),
      properties: { KeyId: key.keyArn },
    });
    this.value = resource.getAttString('PublicKey');
  }
}
