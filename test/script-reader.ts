/**
 * Reads bash as far as a contract needs it: which variables in capitals a script reads and sets, and with which fields it calls
 * a function. What it does not understand is an error and is never skipped.
 */

/** A field of `answer` or `json`: `KEY=TEXT` or `KEY:=JSON`. */
export interface Field {
  readonly key: string;
  readonly isText: boolean;
  /** Its text where no variable and no command is in it. */
  readonly literal: string | undefined;
}

export interface Reading {
  /** Variables in capitals whose value is used. */
  readonly reads: ReadonlySet<string>;
  /** Variables in capitals that get a value. */
  readonly sets: ReadonlySet<string>;
  /** The fields of each call of the functions that were asked for, in order. */
  readonly calls: readonly { readonly name: string; readonly fields: readonly Field[] }[];
}

/** A word: its text, with a NUL for each expansion in it. */
const expansion = '\0';
/** What a function was called with, handed on as it is. */
const handedOn = '\u0001';

const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const isCapital = (text: string): boolean => /^[A-Z][A-Z0-9_]*$/.test(text);

/** Words that commands follow: what comes next is a command again. */
const beforeCommand = new Set(['if', 'then', 'elif', 'else', 'while', 'until', 'do', '!', '{', 'time', 'in']);
const declaring = new Set(['local', 'export', 'readonly', 'declare', 'read', 'for', 'unset']);

class Reader {
  readonly reads = new Set<string>();
  readonly sets = new Set<string>();
  readonly calls: { name: string; fields: Field[] }[] = [];
  private at = 0;
  private heredocs: { readonly end: string; readonly isQuoted: boolean }[] = [];
  private readonly text: string;
  private readonly asked: ReadonlySet<string>;

  constructor(text: string, asked: readonly string[]) {
    this.text = text;
    this.asked = new Set(asked);
  }

  /** Reads commands up to a closing parenthesis that is not theirs, or to the end. */
  commands(inside = false): void {
    let depth = 0;
    let cases = 0;
    let words: string[] = [];
    const end = (): void => {
      this.command(words);
      words = [];
    };
    while (this.at < this.text.length) {
      const character = this.text.charAt(this.at);
      if (character === '#' && /^$|[\s;(]/.test(this.text.charAt(this.at - 1))) {
        this.at = this.lineEnd();
      } else if (character === '\n') {
        end();
        this.at += 1;
        this.documents();
      } else if (/[ \t]/.test(character)) {
        this.at += 1;
      } else if (this.text.startsWith('\\\n', this.at)) {
        this.at += 2;
      } else if (
        this.text.startsWith('((', this.at) &&
        words.every((word) => beforeCommand.has(word) || word === 'for')
      ) {
        this.at += 2;
        this.arithmetic('))');
        words = [];
      } else if (/^<<<|^[<>]&|^&>/.test(this.text.slice(this.at, this.at + 3))) {
        this.at += this.text.startsWith('<<<', this.at) ? 3 : 2;
      } else if (/^[<>]\(/.test(this.text.slice(this.at, this.at + 2))) {
        words.push(this.word());
      } else if (this.text.startsWith('<<', this.at)) {
        this.at += 2;
        this.heredoc();
      } else if (/[<>]/.test(character)) {
        this.at += 1;
      } else if (this.text.startsWith('()', this.at)) {
        // The definition of a function.
        this.at += 2;
        words = [];
      } else if (character === '(') {
        end();
        depth += 1;
        this.at += 1;
      } else if (character === ')') {
        end();
        this.at += 1;
        if (depth > 0) depth -= 1;
        else if (cases === 0) {
          if (!inside) throw new Error(`a parenthesis too many: ${this.here()}`);
          return;
        }
      } else if (/[;&|]/.test(character)) {
        end();
        this.at += 1;
      } else {
        const word = this.word();
        if (word === 'case' && words.every((one) => beforeCommand.has(one))) cases += 1;
        if (word === 'esac' && words.length === 0) cases -= 1;
        words.push(word);
        if (beforeCommand.has(word) && words.length === 1 && word !== 'in') words = [];
      }
    }
    end();
    if (inside) throw new Error('a parenthesis is never closed');
  }

  /** What a whole command sets and calls. */
  private command(words: readonly string[]): void {
    const first = words.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=/.test(word));
    const assignments = first === -1 ? words : words.slice(0, first);
    const [called, ...rest] = first === -1 ? [] : words.slice(first);
    for (const word of assignments) this.set(word);
    if (called === undefined) return;
    if (declaring.has(called)) for (const word of rest) this.set(word);
    if (called === 'printf' && rest[0] === '-v' && rest[1] !== undefined) this.set(rest[1]);
    if (this.asked.has(called) && rest.join() !== handedOn)
      this.calls.push({ name: called, fields: rest.map(fieldOf) });
  }

  private set(word: string): void {
    const [variable = ''] = /^[A-Za-z_][A-Za-z0-9_]*/.exec(word) ?? [];
    if (isCapital(variable)) this.sets.add(variable);
  }

  private read(variable: string): void {
    if (isCapital(variable)) this.reads.add(variable);
  }

  private lineEnd(): number {
    const end = this.text.indexOf('\n', this.at);
    return end === -1 ? this.text.length : end;
  }

  private here(): string {
    return JSON.stringify(this.text.slice(Math.max(0, this.at - 60), this.at + 20));
  }

  private word(): string {
    let text = '';
    while (this.at < this.text.length) {
      const character = this.text.charAt(this.at);
      if (/[<>]/.test(character) && this.text.charAt(this.at + 1) === '(') {
        this.at += 2;
        this.commands(true);
        text += expansion;
      } else if (character === '(' && /=$/.test(text)) {
        this.at += 1;
        this.elements();
        text += expansion;
      } else if (/[\s;&|()<>]/.test(character)) return text;
      else text += this.part(character);
    }
    return text;
  }

  /** The elements of an array. */
  private elements(): void {
    while (this.text.charAt(this.at) !== ')') {
      if (this.at >= this.text.length) throw new Error('an array is never closed');
      if (/\s/.test(this.text.charAt(this.at))) this.at += 1;
      else if (this.word() === '') throw new Error(`not understood: ${this.here()}`);
    }
    this.at += 1;
  }

  private part(character: string): string {
    switch (character) {
      case "'":
        return this.upTo("'", 1);
      case '"':
        this.at += 1;
        return this.double('"');
      case '\\':
        this.at += 2;
        return this.text.charAt(this.at - 1);
      case '$':
        return this.dollar();
      case '`':
        throw new Error(`a backtick: ${this.here()}`);
      default:
        this.at += 1;
        return character;
    }
  }

  private upTo(end: string, from: number): string {
    const start = this.at + from;
    const stop = this.text.indexOf(end, start);
    if (stop === -1) throw new Error(`${end} is never closed: ${this.here()}`);
    this.at = stop + end.length;
    return this.text.slice(start, stop);
  }

  /** Text in which variables and commands are expanded, up to what ends it. */
  private double(end: string): string {
    let text = '';
    while (!this.text.startsWith(end, this.at)) {
      const character = this.text.charAt(this.at);
      if (character === '') throw new Error(`${end} is never closed`);
      if (character === '\\' || character === '$' || character === '`') text += this.part(character);
      else if (character === '"') text += this.part(character);
      else {
        text += character;
        this.at += 1;
      }
    }
    this.at += end.length;
    return text;
  }

  private dollar(): string {
    const next = this.text.charAt(this.at + 1);
    if (next === "'") {
      this.at += 2;
      while (this.text.charAt(this.at) !== "'") this.at += this.text.charAt(this.at) === '\\' ? 2 : 1;
      this.at += 1;
      return expansion;
    }
    if (this.text.startsWith('$((', this.at)) {
      this.at += 3;
      this.arithmetic('))');
      return expansion;
    }
    if (next === '(') {
      this.at += 2;
      this.commands(true);
      return expansion;
    }
    if (next === '{') {
      this.at += 2;
      this.parameter();
      return expansion;
    }
    name.lastIndex = this.at + 1;
    const [variable] = name.exec(this.text) ?? [];
    if (variable === undefined && !/[0-9@*#?$!-]/.test(next)) {
      this.at += 1;
      return '$';
    }
    if (variable !== undefined) this.read(variable);
    this.at += 1 + (variable?.length ?? 1);
    return next === '@' ? handedOn : expansion;
  }

  /** What stands in braces. */
  private parameter(): void {
    if (/[#!]/.test(this.text.charAt(this.at)) && this.text.charAt(this.at + 1) !== '}') this.at += 1;
    name.lastIndex = this.at;
    const [variable] = name.exec(this.text) ?? [];
    // ${!PREFIX*} and ${!PREFIX@} name no variable.
    if (
      variable !== undefined &&
      !/^[*@]\}/.test(this.text.slice(this.at + variable.length, this.at + variable.length + 2))
    )
      this.read(variable);
    this.at += variable?.length ?? 1;
    while (this.text.charAt(this.at) !== '}') {
      const character = this.text.charAt(this.at);
      if (character === '') throw new Error('a brace is never closed');
      this.part(character);
    }
    this.at += 1;
  }

  private arithmetic(end: string): void {
    let depth = 0;
    for (;;) {
      const character = this.text.charAt(this.at);
      if (character === '') throw new Error(`${end} is never closed`);
      if (depth === 0 && this.text.startsWith(end, this.at)) break;
      if (character === '(') depth += 1;
      if (character === ')') depth -= 1;
      name.lastIndex = this.at;
      const [variable] = name.exec(this.text) ?? [];
      const [number] = /^[0-9][0-9A-Za-z]*#?[0-9A-Za-z]*/.exec(this.text.slice(this.at, this.at + 40)) ?? [];
      if (variable !== undefined) this.read(variable);
      if (variable === undefined && number === undefined) this.part(character);
      else this.at += variable?.length ?? number?.length ?? 0;
    }
    this.at += end.length;
  }

  private heredoc(): void {
    const [whole = '', quote = '', end = ''] = /^-?(['"]?)([A-Za-z_]+)\1/.exec(this.text.slice(this.at)) ?? [];
    if (end === '') throw new Error(`a here-document without an end: ${this.here()}`);
    this.at += whole.length;
    this.heredocs.push({ end, isQuoted: quote !== '' });
  }

  private documents(): void {
    for (const { end, isQuoted } of this.heredocs.splice(0)) {
      const body = this.upTo(`\n${end}\n`, 0);
      this.at -= 1;
      if (isQuoted) continue;
      const inner = new Reader(`${body}"`, []);
      inner.double('"');
      for (const variable of inner.reads) this.reads.add(variable);
    }
  }
}

const fieldOf = (word: string): Field => {
  const [, key, colon, value = ''] = /^([A-Za-z][A-Za-z0-9]*)(:?)=(.*)$/s.exec(word) ?? [];
  if (key === undefined) throw new Error(`no field of an answer: ${JSON.stringify(word)}`);
  return { key, isText: colon === '', literal: value.includes(expansion) ? undefined : value };
};

/** Reads a script; `functions` are those whose calls are told. Throws an Error for what it does not understand. */
export const readScript = (text: string, functions: readonly string[] = []): Reading => {
  const reader = new Reader(text, functions);
  reader.commands();
  return reader;
};
