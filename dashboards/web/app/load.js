// Bring the snapshot: from the page itself in an export, else from the server, again and again.

const EVERY_MS = 10_000;

/** Return the snapshot that an exported page holds, or null on a served page. */
export function embedded() {
  const data = document.getElementById("snapshot");
  return data ? JSON.parse(data.textContent) : null;
}

/** Return JSON from this page's own server; the browser asks with the ETag that it has. */
export async function ask(path) {
  return (await got(path)).json();
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

/** Keep asking while the page is looked at; `path` returns the address, `arrived` gets each answer, `failed` each error. */
export function follow(path, arrived, failed) {
  const again = async () => {
    if (!document.hidden) {
      try {
        await arrived(await ask(path()));
      } catch (error) {
        failed(error);
      }
    }
    setTimeout(again, EVERY_MS);
  };
  setTimeout(again, EVERY_MS);
}

async function refusal(answer) {
  try {
    const { detail, error } = await answer.json();
    return String(detail ?? error ?? answer.statusText);
  } catch {
    return `the server answered ${answer.status}`;
  }
}
