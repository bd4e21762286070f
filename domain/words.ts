/** A node's words are read by people in mails, events and consoles: they must be readable, and must not pass for ours. */

/** At most this much of what one command said. */
const wordsLimit = 1500;

/**
 * What a node said, on one line: characters that are not seen, or that turn the direction of writing, are blanks, and what would become
 * a link is none.
 */
export const nodeWords = (text: string): string => {
  const plain = text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]+/gu, ' ')
    .replaceAll(/:\/\/(?!\s)/g, ': //')
    .trim();
  return plain.length <= wordsLimit ? plain : `${plain.slice(0, wordsLimit)}…`;
};
