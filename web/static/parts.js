// Parts of a page that fail alone: an error in one is told once and leaves the others as they are.

/** What each part that is broken now threw, by its name. @type {Map<string, string>} */
const broken = new Map();

/**
 * Runs `work`, which draws the part called `name`; whether it went well. The same error of the same part is reported once until
 * the part works again: what is drawn many times a second would report nothing else.
 * @param {string} name
 * @param {() => void} work
 */
export function part(name, work) {
  try {
    work();
    broken.delete(name);
    return true;
  } catch (error) {
    const words = String(error);
    if (broken.get(name) !== words) {
      broken.set(name, words);
      reportError(error);
    }
    return false;
  }
}
