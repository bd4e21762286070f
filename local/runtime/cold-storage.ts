import type { S3Request } from './s3-request.ts';

/** Stands in for the storage classes that a lifecycle rule moves old backups to: the S3 server knows none of them. */
export interface ColdStorage {
  /** From now on the object is archived, as a lifecycle rule would have it. */
  freeze(key: string): void;
  /** The keys that were asked for, the first one first. */
  thawed(): readonly string[];
  /** What was asked for can be read from now on. */
  finish(): void;
}

/** What is answered in the S3 server's place, or what is added to its answer. */
export type ColdAnswer =
  | { readonly status: number; readonly error?: string }
  | {
      readonly headers: Readonly<Record<string, string>>;
      /** Of a listing: what it says of archived objects. */
      readonly rewrite?: (listing: string) => string;
    };

type Archived = 'frozen' | 'thawing' | 'restored';

/** The cold storage of one bucket. It knows neither versions nor how long a copy lasts. */
export const createColdStorage = (bucket: string): ColdStorage & { answer(request: S3Request): ColdAnswer } => {
  const archived = new Map<string, Archived>();
  const asked: string[] = [];

  const restore = (key: string): ColdAnswer => {
    switch (archived.get(key)) {
      case 'thawing':
        return { status: 409, error: 'RestoreAlreadyInProgress' };
      case 'restored':
        return { status: 200 };
      default:
        archived.set(key, 'thawing');
        asked.push(key);
        return { status: 202 };
    }
  };

  const headers = (state: Archived): Record<string, string> => {
    const archivedIn = { 'x-amz-storage-class': 'GLACIER' };
    switch (state) {
      case 'frozen':
        return archivedIn;
      case 'thawing':
        return { ...archivedIn, 'x-amz-restore': 'ongoing-request="true"' };
      case 'restored': {
        const expiry = new Date(Date.now() + 86_400_000).toUTCString();
        return { ...archivedIn, 'x-amz-restore': `ongoing-request="false", expiry-date="${expiry}"` };
      }
      default:
        return state satisfies never;
    }
  };

  const listed = (state: Archived, withStatus: boolean): string => {
    const expiry = new Date(Date.now() + 86_400_000).toISOString();
    const status =
      state === 'frozen'
        ? ''
        : `<IsRestoreInProgress>${state === 'thawing'}</IsRestoreInProgress>${state === 'restored' ? `<RestoreExpiryDate>${expiry}</RestoreExpiryDate>` : ''}`;
    return `<StorageClass>GLACIER</StorageClass>${withStatus && status ? `<RestoreStatus>${status}</RestoreStatus>` : ''}`;
  };

  const rewrite =
    (withStatus: boolean) =>
    (listing: string): string =>
      listing.replace(/<Version>.*?<\/Version>/gs, (version) => {
        const state = archived.get(/<Key>([^<]*)<\/Key>/.exec(version)?.[1] ?? '');
        if (state === undefined) return version;
        return version
          .replace(/<StorageClass>[^<]*<\/StorageClass>/, '')
          .replace('</Version>', `${listed(state, withStatus)}</Version>`);
      });

  return {
    freeze: (key) => void archived.set(key, 'frozen'),
    thawed: () => [...asked],
    finish: () => {
      for (const [key, state] of archived) if (state === 'thawing') archived.set(key, 'restored');
    },
    answer: (request) => {
      const { method, key, query, reads } = request;
      if (method === 'POST' && query.has('restore') && request.bucket === bucket && archived.has(key))
        return restore(key);
      if (request.bucket === bucket && key === '' && query.has('versions') && archived.size > 0)
        return { headers: {}, rewrite: rewrite(request.attributes.includes('RestoreStatus')) };
      const state = reads?.bucket === bucket ? archived.get(reads.key) : undefined;
      if (state === undefined) return { headers: {} };
      if (method !== 'HEAD' && state !== 'restored') return { status: 403, error: 'InvalidObjectState' };
      return { headers: headers(state) };
    },
  };
};
