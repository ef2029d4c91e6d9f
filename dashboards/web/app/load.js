// Bring the snapshot: from the page itself in an export, else from the server, again and again.

const EVERY_MS = 10_000;
const SOON_MS = 1500; // while the server reads newer numbers

/** Return the snapshot that an exported page holds, or null on a served page. */
export function embedded() {
  const data = document.getElementById("snapshot");
  return data ? JSON.parse(data.textContent) : null;
}

/** Return JSON from this page's own server; the browser asks with the ETag that it has. */
export async function ask(path) {
  return (await got(path)).json();
}

/** Return the same, and how old its numbers are by the server's clock, in seconds; null where the server names no time. */
export async function askWithAge(path) {
  const answer = await got(path);
  const now = Date.parse(answer.headers.get("date") ?? "") / 1000;
  const data = await answer.json();
  const age = now - data.generated_at;
  return { data, age: Number.isFinite(age) ? Math.max(0, age) : null };
}

/** Return a text from this page's own server. */
export async function askText(path) {
  return (await got(path)).text();
}

/** Return the curves of a revision, or null where the server has a newer one by now. */
export async function askCurves(path, revision) {
  const answer = await got(path);
  const tag = answer.headers.get("etag");
  return tag && !tag.includes(revision) ? null : answer.json();
}

async function got(path) {
  const answer = await fetch(path, { cache: "no-cache", headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer;
}

/**
 * Keep asking while the page is looked at, and at once when it is looked at again. `path` returns the address, `arrived`
 * gets each answer with its age and returns whether newer numbers are on their way, `failed` each error.
 */
export function follow(path, arrived, failed) {
  let [timer, asking] = [null, false];
  const again = async () => {
    clearTimeout(timer);
    let soon = false;
    if (!document.hidden && !asking) {
      asking = true;
      try {
        const { data, age } = await askWithAge(path());
        soon = await arrived(data, age);
      } catch (error) {
        failed(error);
      }
      asking = false;
    }
    timer = setTimeout(again, soon ? SOON_MS : EVERY_MS);
  };
  document.addEventListener("visibilitychange", () => !document.hidden && again());
  return { soon: () => (timer = setTimeout(again, SOON_MS)), later: () => (timer = setTimeout(again, EVERY_MS)) };
}

async function refusal(answer) {
  try {
    const { detail, error } = await answer.json();
    return String(detail ?? error ?? answer.statusText);
  } catch {
    return `the server answered ${answer.status}`;
  }
}
