import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnswerOf } from '#domain/contracts/document';
import type { CertificateAuthority, PuppetInspection } from '#domain/inspection';
import {
  authorityDaysLeft,
  expiryWarnings,
  knownSerial,
  proveAuthority,
  warnAuthority,
} from '#domain/systems/puppet-authority';
import type { mergeAuthority } from '#domain/systems/puppet-documents';
import { manifestOf } from './cli-fixtures.ts';

type MergedAuthority = AnswerOf<typeof mergeAuthority>;

const plain: CertificateAuthority = {
  fingerprint: 'AA:BB',
  serial: '0010',
  inventoryLines: 15,
  notAfter: '2031-01-01T00:00:00Z',
  revocations: { number: '2', count: 1, nextUpdate: '2031-06-01T00:00:00Z' },
};

const manifest = manifestOf('pe-main', '20261120T020000Z');
const [source] = manifest.nodes;
if (!source) throw new Error('the fixture has no node');

const inspectionOf = (certificateAuthority: CertificateAuthority | null): PuppetInspection => ({
  ...source.inspection,
  certificateAuthority,
});

/** A restore of the plain authority onto a node that has another one, or none, beside newer backups. */
const restoreOf = (now: CertificateAuthority | null, newer: readonly CertificateAuthority[] = []) => {
  const target = {
    node: { ...source },
    inspection: inspectionOf(now),
    source: { ...source, inspection: inspectionOf(plain) },
    whole: true,
  };
  const manifests = newer.map((one) => ({ ...manifest, nodes: [{ ...source, inspection: inspectionOf(one) }] }));
  return { target, of: { targets: [target], bystanders: [], newer: manifests } };
};

const merged: MergedAuthority = {
  living: 'same',
  whole: true,
  backup: '0010',
  known: '0012',
  serial: '0012',
  signed: 2,
  names: ['a.example.com', 'b.example.com'],

  unreadList: false,
};

describe('a restored certificate authority', () => {
  const prove = (
    found: CertificateAuthority | null,
    answer: MergedAuthority | undefined = merged,
    { of, target } = restoreOf(plain),
  ) => proveAuthority(of, target, found, answer);
  const gone = { ...plain, serial: '0012', inventoryLines: 17 };

  it('may have gone on, and names what was signed since', () => {
    const { faults, proof, told } = prove(gone);
    expect(faults).toEqual([]);
    expect(proof).toMatch(
      /serial 0012, inventory of 17 lines and 1 revocation hold all that the backup has \(0010, 15, 1\)$/,
    );
    expect(told).toEqual([expect.stringMatching(/: 2 certificates .* are kept: a\.example\.com, b\.example\.com$/)]);
  });

  it.each([
    ['serial', { ...gone, serial: '000F' }, /serial is 000F, expected 0010 or more/],
    ['serial', { ...gone, serial: '' }, /serial is nothing, expected 0010 or more/],
    ['serial, which is not what was merged', { ...gone, serial: '0013' }, /serial is 0013, expected 0012/],
    ['fingerprint', { ...gone, fingerprint: 'CC' }, /fingerprint is CC, expected AA:BB/],
    ['inventory', { ...gone, inventoryLines: 14 }, /inventory is of 14 lines, expected 15 or more/],
    ['revocations', { ...gone, revocations: null }, /the number of revocations is 0, expected 1 or more/],
    [
      "list's number",
      { ...gone, revocations: { number: '1', count: 1, nextUpdate: null } },
      /the revocation list's number is 1, expected 2 or more/,
    ],
  ])('never goes back in its %s', (_, found, fault) => {
    expect(prove(found).faults.join('\n')).toMatch(fault);
  });

  it('is beyond what newer backups of the same authority know, and no other', () => {
    const newer = [
      { ...plain, serial: '0100' },
      { ...plain, serial: 'FFFF', fingerprint: 'CC' },
    ];
    const { of, target } = restoreOf(null, newer);
    expect(knownSerial(of, target)).toBe('0100');
    expect(prove(gone, merged, { of, target }).faults).toEqual([
      expect.stringMatching(/serial is 0012, expected 0100 or more/),
    ]);
  });

  it('that was not merged is no proof', () => {
    expect(proveAuthority(restoreOf(plain).of, restoreOf(plain).target, gone, undefined).faults).toHaveLength(1);
  });

  it('that could not be merged tells what it does not know', () => {
    const lost: MergedAuthority = {
      ...{ ...merged, living: 'missing', whole: false, serial: '03FA', signed: 0, names: [] },
    };
    const { faults, told } = prove({ ...gone, serial: '03FA' }, lost);
    expect(faults).toEqual([]);
    expect(told).toEqual([
      expect.stringMatching(
        /is not known, for it was gone\. Its serial goes on at 03FA, .* certificates from 0010 on, which are at least 2, .*certificates-unknown$/,
      ),
    ]);
  });

  it('is warned of before, where the living one is gone or another', () => {
    const warn = ({ of, target }: ReturnType<typeof restoreOf>) => warnAuthority(of, target);
    expect(warn(restoreOf(plain))).toEqual([]);
    expect(warn(restoreOf(null, [{ ...plain, serial: '0014' }]))).toEqual([
      expect.stringMatching(/has no certificate authority: .* at least 4; a newer backup knows more/),
    ]);
    expect(warn(restoreOf({ ...plain, fingerprint: 'CC' }))).toEqual([
      expect.stringMatching(/has another certificate authority: .* signed since\. Its serial skips 1000 numbers/),
    ]);
  });

  it('has a known serial that is never less than the backup’s, however long numbers are', () => {
    const serial = fc.bigInt({ min: 1n, max: 2n ** 160n });
    fc.assert(
      fc.property(serial, fc.array(serial, { maxLength: 5 }), (first, others) => {
        const written = (number: bigint) => number.toString(16).toUpperCase();
        const { of, target } = restoreOf(
          { ...plain, serial: written(first) },
          others.map((one) => ({ ...plain, serial: written(one) })),
        );
        const known = BigInt(`0x${knownSerial(of, target)}`);
        expect(known >= first && others.every((one) => known >= one)).toBe(true);
      }),
    );
  });
});

describe('an authority that ends', () => {
  const at = (days: number) => new Date(Date.parse('2031-01-01T00:00:00Z') - days * 86_400_000);
  const inspection = inspectionOf(plain);

  it('is told from 90 days before, for its certificate and for its list', () => {
    expect(expiryWarnings(inspection, at(91))).toEqual([]);
    expect(expiryWarnings(inspection, at(90))).toEqual([
      expect.stringMatching(/^the certificate of the certificate authority ends on 2031-01-01T00:00:00Z, in 90 days: /),
    ]);
    expect(expiryWarnings(inspection, at(-100))).toEqual([
      expect.stringMatching(/certificate authority ended on 2031-01-01/),
      expect.stringMatching(/^its revocation list ends on 2031-06-01T00:00:00Z, in 51 days/),
    ]);
  });

  it('is measured by what ends first in the newest backup', () => {
    expect(authorityDaysLeft({ nodes: [{ ...source, inspection }] }, at(40))).toBe(40);
    expect(authorityDaysLeft({ nodes: [{ ...source, inspection: inspectionOf(null) }] }, at(40))).toBeUndefined();
  });
});
