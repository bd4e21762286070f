import { ArnFormat, CfnOutput, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { type IGrantable, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Config } from '#domain/config';

/** The topic that everybody who is configured hears, and who may speak to it. */
export class Notifications {
  readonly topic: Topic;
  readonly #key: Key;

  constructor(stack: Stack, { notifications }: Config) {
    this.#key = new Key(stack, 'TopicKey', {
      description: 'Encrypts the notifications of Holdfast',
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.#key.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));
    this.topic = new Topic(stack, 'Notifications', {
      topicName: 'holdfast',
      masterKey: this.#key,
      enforceSSL: true,
    });
    // A topic with a policy of its own no longer takes everything from its account: alarms must be let in by name.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: {
          ArnLike: {
            'aws:SourceArn': stack.formatArn({
              service: 'cloudwatch',
              resource: 'alarm',
              resourceName: 'holdfast-*',
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          },
        },
      }),
    );
    for (const address of notifications.email) this.topic.addSubscription(new EmailSubscription(address));
    new CfnOutput(stack, 'NotificationTopic', { value: this.topic.topicArn });
  }

  grantPublish({ grantPrincipal }: IGrantable): void {
    grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['sns:Publish'], resources: [this.topic.topicArn] }),
    );
    grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [this.#key.keyArn] }),
    );
  }
}
