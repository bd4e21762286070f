import * as z from 'zod';
import { SsmError } from './errors.ts';

const CommandId = z.string().length(36);
const DocumentVersion = z.string().regex(/^(\$LATEST|\$DEFAULT|[1-9]\d*)$/);
const Page = { MaxResults: z.int().min(1).max(50).default(50), NextToken: z.string().optional() };
const Filters = z
  .array(
    z.object({
      key: z.enum(['InvokedAfter', 'InvokedBefore', 'Status', 'DocumentName', 'ExecutionStage']),
      value: z.string(),
    }),
  )
  .min(1)
  .max(5)
  .default([]);

export const SendCommand = z
  .object({
    InstanceIds: z.array(z.string()).max(50).default([]),
    Targets: z
      .array(z.object({ Key: z.string().regex(/^(tag:.+|tag-key|InstanceIds)$/), Values: z.array(z.string()).max(50) }))
      .max(5)
      .default([]),
    DocumentName: z.string(),
    DocumentVersion: DocumentVersion.default('$DEFAULT'),
    DocumentHash: z.string().max(256).optional(),
    // What AWS calls deprecated, Sha1, nobody here sends.
    DocumentHashType: z.literal('Sha256').optional(),
    Parameters: z.record(z.string(), z.array(z.string())).default({}),
    Comment: z.string().max(100).default(''),
    TimeoutSeconds: z.int().min(30).max(2_592_000).default(3600),
    MaxConcurrency: z
      .string()
      .regex(/^([1-9]\d*|[1-9]\d?%|100%)$/)
      .default('50'),
    MaxErrors: z
      .string()
      .regex(/^(0|[1-9]\d*|[1-9]?\d%|100%)$/)
      .default('0'),
    OutputS3BucketName: z.string().default(''),
    OutputS3KeyPrefix: z.string().max(500).default(''),
    CloudWatchOutputConfig: z
      .object({
        CloudWatchLogGroupName: z.string().default(''),
        CloudWatchOutputEnabled: z.boolean().default(false),
      })
      .default({ CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false }),
  })
  .refine(({ InstanceIds, Targets }) => InstanceIds.length === 0 || Targets.length === 0, 'InstanceIds and Targets')
  .refine(({ InstanceIds, Targets }) => InstanceIds.length + Targets.length > 0, 'InstanceIds or Targets are required');

export type SendCommand = z.infer<typeof SendCommand>;
export type Target = SendCommand['Targets'][number];
export type CommandFilter = z.infer<typeof Filters>[number];

export const ListCommands = z.object({
  CommandId: CommandId.optional(),
  InstanceId: z.string().optional(),
  Filters,
  ...Page,
});

export const ListCommandInvocations = z.object({
  CommandId: CommandId.optional(),
  InstanceId: z.string().optional(),
  Filters,
  Details: z.boolean().default(false),
  ...Page,
});

export const GetCommandInvocation = z.object({
  CommandId,
  InstanceId: z.string(),
  PluginName: z.string().optional(),
});

export const CancelCommand = z.object({ CommandId, InstanceIds: z.array(z.string()).max(50).default([]) });

export const DescribeInstanceInformation = z.object({
  Filters: z.array(z.object({ Key: z.string(), Values: z.array(z.string()).min(1) })).default([]),
  InstanceInformationFilterList: z
    .array(z.object({ key: z.string(), valueSet: z.array(z.string()).min(1) }))
    .default([]),
  ...Page,
});

export const NamedDocument = z.object({ Name: z.string(), DocumentVersion: DocumentVersion.default('$DEFAULT') });

/** The request as its schema reads it. Throws `ValidationException`, as AWS does of a value out of range. */
export const parseRequest = <T>(schema: z.ZodType<T>, body: unknown): T => {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new SsmError('ValidationException', `Validation error detected: ${z.prettifyError(result.error)}`);
};
