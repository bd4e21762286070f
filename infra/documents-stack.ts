import { Stack, type StackProps } from 'aws-cdk-lib';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { composeDocuments } from '#documents/compose';
import { documentName } from '#domain/naming';

/**
 * A template may have a megabyte, and all documents together come close to that. So there is a stack for each of these: by the first
 * letter, because a document that moved from one stack to another would be in the way of itself.
 */
export const documentStacks = ['a-e', 'f-p', 'q-z'] as const;

/** The SSM documents whose names begin with some letters, such as `a-e`. */
export class DocumentsStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    {
      letters,
      ticketKey,
      ...props
    }: StackProps & {
      readonly letters: (typeof documentStacks)[number];
      /** What the documents check tickets with, in base64. */
      readonly ticketKey: string;
    },
  ) {
    // Every script is a list of lines: indented, they would be twice as long.
    super(scope, id, { ...props, suppressTemplateIndentation: true });
    const ours = new RegExp(`^${documentName('')}[${letters}]`, 'i');
    for (const [name, content] of Object.entries(composeDocuments(ticketKey)))
      if (ours.test(name))
        new CfnDocument(this, name, {
          name,
          content,
          documentType: 'Command',
          documentFormat: 'JSON',
          targetType: '/AWS::EC2::Instance',
          updateMethod: 'NewVersion',
        });
  }
}
