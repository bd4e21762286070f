import type { PuppetRole } from '#domain/config';

/** A version of Puppet Enterprise that the lab can install. */
export interface PuppetProduct {
  readonly name: string;
  readonly version: string;
  /** Where its tree and the scripts users.sh, files.sh, certificates.sh and databases.sh lie, which lay it out on a node. */
  readonly directory: string;
  /** The services of a node of each role, in an order in which they can be started. */
  readonly services: Readonly<Record<PuppetRole, readonly string[]>>;
}

/** The services of a node of several roles, in an order that suits each of them. Throws when there is none. */
export const servicesOf = (product: PuppetProduct, roles: readonly PuppetRole[]): readonly string[] => {
  const started: string[] = [];
  for (;;) {
    // PuppetDB's first: the others may need its PostgreSQL.
    const left = roles
      .toSorted((a, b) => Number(b === 'puppetdb') - Number(a === 'puppetdb'))
      .map((role) => product.services[role].filter((service) => !started.includes(service)))
      .filter((services) => services.length > 0);
    if (left.length === 0) return started;
    const next = left
      .map(([first]) => first)
      .find((first) => left.every((services) => services.lastIndexOf(first ?? '') <= 0));
    if (next === undefined) throw new Error(`${product.name}: no order of services suits ${roles.join(', ')}`);
    started.push(next);
  }
};
