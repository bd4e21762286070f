/** What the stand-in answers with instead of a result; `name` is the code that the SDK turns into an exception's name. */
export class SsmError extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}
