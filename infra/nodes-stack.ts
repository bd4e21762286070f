import { Stack, type StackProps } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Config } from '#domain/config';
import { nodeStatements } from '#domain/node-policy';
import type { VaultStack } from './vault-stack.ts';

/** What runs on the nodes, and what they may do in the vault: write below their own keys, and read what a run has opened to them. */
export class NodesStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { readonly config: Config; readonly storage: VaultStack },
  ) {
    super(scope, id, props);
    const { config, storage } = props;
    const place = {
      ...{ vaultArn: storage.vault.bucketArn, stateArn: storage.state.bucketArn, keyArn: storage.key.keyArn },
      ...{ account: this.account, region: this.region },
    };
    for (const system of Object.keys(config.systems)) {
      new ManagedPolicy(this, `NodePolicy-${system}`, {
        managedPolicyName: `holdfast-node-${system}`,
        description: `For the instance profiles of the nodes of ${system}, beside AmazonSSMManagedInstanceCore`,
        statements: nodeStatements(place, system).map(
          ({ sid, actions, resources, conditions }) =>
            new PolicyStatement({ sid, actions: [...actions], resources: [...resources], conditions }),
        ),
      });
    }
  }
}
