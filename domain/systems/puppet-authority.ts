import type { AnswerOf } from '#domain/contracts/document';
import type { CertificateAuthority, Inspection } from '#domain/inspection';
import type { Manifest } from '#domain/manifest';
import type { mergeAuthority } from './puppet-documents.ts';
import type { PuppetRestore, RestoreTarget } from './puppet-restore-scope.ts';

/** The certificate authority of Puppet: it never goes back in time, and people hear in time that it ends. */

/** Days before the end of a certificate authority, or of its revocation list, at which people are told, and told again. */
export const expiryWarnDays = 90;
export const expiryUrgentDays = 30;

const day = 86_400_000;

/** A serial number of the hexadecimal text that Puppet writes; zero where it is none. */
const serialNumber = (text: string): bigint => (/^[0-9A-Fa-f]+$/.test(text) ? BigInt(`0x${text}`) : 0n);

const greatest = (numbers: readonly bigint[]): bigint => numbers.toSorted((a, b) => (a < b ? 1 : -1))[0] ?? 0n;

const hexadecimal = (number: bigint): string => number.toString(16).toUpperCase().padStart(4, '0');

/** What of an authority ends, and when. */
const ends = ({ notAfter, revocations }: CertificateAuthority) => [
  { what: 'the certificate of the certificate authority', at: notAfter },
  ...(revocations?.nextUpdate ? [{ what: 'its revocation list', at: revocations.nextUpdate }] : []),
];

const daysUntil = (at: string, now: Date): number => Math.floor((Date.parse(at) - now.getTime()) / day);

const authorityOf = (inspection: Inspection): CertificateAuthority | null =>
  inspection.product === 'puppet-enterprise' ? inspection.certificateAuthority : null;

/** Reports people what of a node's certificate authority ends within 90 days. */
export const expiryWarnings = (inspection: Inspection, now: Date): readonly string[] => {
  const authority = authorityOf(inspection);
  return (authority ? ends(authority) : []).flatMap(({ what, at }) => {
    const days = daysUntil(at, now);
    if (days > expiryWarnDays) return [];
    const when = days < 0 ? `ended on ${at}` : `ends on ${at}, in ${days} days`;
    return [`${what} ${when}: after that no agent can connect. Renew it, see the runbook, authority-expiring`];
  });
};

/** Whole days until the first certificate authority of a backup, or its revocation list, ends; undefined when it has none. */
export const authorityDaysLeft = ({ nodes }: Pick<Manifest, 'nodes'>, now: Date): number | undefined => {
  const days = nodes.flatMap(({ inspection }) => {
    const authority = authorityOf(inspection);
    return authority ? ends(authority).map(({ at }) => daysUntil(at, now)) : [];
  });
  return days.length === 0 ? undefined : Math.min(...days);
};

/** The authority that a node gets back, when this restore brings one. */
type Authorities = Pick<PuppetRestore, 'targets' | 'bystanders' | 'newer'>;

/** The same authority wherever it was seen: in the backup, in newer ones, on the nodes as they are. */
const seen = (of: Authorities, { source }: Pick<RestoreTarget, 'source'>): readonly CertificateAuthority[] => {
  const mine = source.inspection.certificateAuthority;
  const all: readonly Inspection[] = [
    source.inspection,
    ...of.targets.map(({ inspection }) => inspection),
    ...of.bystanders.map(({ inspection }) => inspection),
    ...(of.newer ?? []).flatMap(({ nodes }) => nodes.map(({ inspection }) => inspection)),
  ];
  return all.flatMap((one) => {
    const authority = authorityOf(one);
    return authority && authority.fingerprint === mine?.fingerprint ? [authority] : [];
  });
};

/** The greatest next serial number that any backup or node knows of an authority, as Puppet writes it. */
export const knownSerial = (of: Authorities, target: Pick<RestoreTarget, 'source'>): string =>
  hexadecimal(greatest(seen(of, target).map(({ serial }) => serialNumber(serial))));

type MergedAuthority = AnswerOf<typeof mergeAuthority>;

const count = (number: bigint | number, what: string): string => `${number} ${what}${`${number}` === '1' ? '' : 's'}`;

const whyUnread = {
  same: 'its serial could not be read',
  foreign: 'another authority was in its place',
  missing: 'it was gone',
} as const satisfies Record<MergedAuthority['living'], string>;

/** What people must know of a merged authority: above all, which certificates it does not know. */
const tell = (node: string, merged: MergedAuthority): readonly string[] => {
  const { living, whole, backup, known, serial, signed, names, unreadList } = merged;
  const lost = serialNumber(known) - serialNumber(backup);
  return [
    ...(signed > 0
      ? [
          `${node}: ${count(signed, 'certificate')} that the authority signed since the backup ${signed === 1 ? 'is' : 'are'} kept: ${names.join(', ')}${names.length < signed ? ', …' : ''}`,
        ]
      : []),
    ...(whole
      ? []
      : [
          `${node}: what the authority signed and revoked since the backup is not known, for ${whyUnread[living]}. Its serial goes on at ${serial}, with a margin, so that no number is issued twice. It does not know the certificates from ${backup} on${lost > 0n ? `, which are at least ${lost}` : ''}, and revocations made since are lost: see the runbook, certificates-unknown`,
        ]),
    ...(unreadList ? [`${node}: a revocation list could not be read and was left out: revoke again what it held`] : []),
  ];
};

/** What a restored authority has less of than it may. */
const authorityFaults = (
  found: CertificateAuthority,
  expected: CertificateAuthority,
  { known, merged }: { readonly known: string; readonly merged: MergedAuthority },
  wrong: (what: string, is: string | number, than: string | number) => string,
): readonly string[] => [
  ...(found.fingerprint === expected.fingerprint
    ? []
    : [wrong('fingerprint', found.fingerprint, expected.fingerprint)]),
  ...(serialNumber(found.serial) < serialNumber(known) || serialNumber(found.serial) === 0n
    ? [wrong('serial', found.serial || 'nothing', `${known} or more`)]
    : []),
  ...(found.serial === merged.serial ? [] : [wrong('serial', found.serial || 'nothing', merged.serial)]),
  ...(found.inventoryLines < expected.inventoryLines
    ? [wrong('inventory', `of ${found.inventoryLines} lines`, `${expected.inventoryLines} or more`)]
    : []),
  ...(expected.revocations ? revocationFaults(found, expected.revocations, wrong) : []),
];

const revocationFaults = (
  found: CertificateAuthority,
  expected: NonNullable<CertificateAuthority['revocations']>,
  wrong: (what: string, is: string | number, than: string | number) => string,
): readonly string[] => {
  const { count: revoked, number } = { count: 0, number: '', ...found.revocations };
  return [
    ...(revoked < expected.count ? [wrong('the number of revocations', revoked, `${expected.count} or more`)] : []),
    ...(serialNumber(number) < serialNumber(expected.number)
      ? [wrong("the revocation list's number", number || 'nothing', `${expected.number} or more`)]
      : []),
  ];
};

/** Compares a restored authority with the backup's and with all that is known of it: it may have gone on, never back. */
export const proveAuthority = (
  of: Authorities,
  target: RestoreTarget,
  found: CertificateAuthority | null | undefined,
  merged: MergedAuthority | undefined,
): { readonly faults: readonly string[]; readonly proof: string; readonly told: readonly string[] } => {
  const { name } = target.node;
  const expected = target.source.inspection.certificateAuthority;
  if (!expected) return { faults: [], proof: '', told: [] };
  if (!found) return { faults: [`${name} has no certificate authority`], proof: '', told: [] };
  if (!merged)
    return {
      faults: [`certificate authority of ${name}: what it has signed since was not merged`],
      proof: '',
      told: [],
    };
  const known = knownSerial(of, target);
  const wrong = (what: string, is: string | number, than: string | number): string =>
    `certificate authority of ${name}: ${what} is ${is}, expected ${than}`;
  const faults = authorityFaults(found, expected, { known, merged }, wrong);
  return {
    faults,
    proof: `certificate authority of ${name}: fingerprint ${expected.fingerprint.slice(0, 23)}… is equal; serial ${found.serial}, inventory of ${found.inventoryLines} lines and ${count(found.revocations?.count ?? 0, 'revocation')} hold all that the backup has (${expected.serial}, ${expected.inventoryLines}, ${expected.revocations?.count ?? 0})`,
    told: tell(name, merged),
  };
};

/** What a person should know of the authority before a restore of an older one. */
export const warnAuthority = (of: Authorities, target: RestoreTarget): readonly string[] => {
  const mine = target.source.inspection.certificateAuthority;
  if (!mine) return [];
  const now = target.inspection.certificateAuthority;
  const behind = serialNumber(knownSerial(of, target)) - serialNumber(mine.serial);
  if (now?.fingerprint === mine.fingerprint) return [];
  return [
    `${target.node.name} has ${now ? 'another certificate authority' : 'no certificate authority'}: the backup's does not know the certificates that were signed since${behind > 0n ? `, which are at least ${behind}; a newer backup knows more of them` : ''}. Its serial skips 1000 numbers, so that none is issued twice`,
  ];
};
