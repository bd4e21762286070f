import type { EnvironmentName } from '#domain/contracts/verb';

/** Returns a variable of the lambda's environment, which its construct sets. Throws an Error when it is missing. */
export const environment = (name: EnvironmentName): string => {
  const value = process.env[name];
  if (!value) throw new Error(`The environment has no ${name}.`);
  return value;
};
