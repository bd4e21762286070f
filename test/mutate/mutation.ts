/** One seeded fault, and whether a check finds it. */
export interface Mutation {
  readonly what: string;
  readonly isDetected: () => boolean;
}
