/* commit_doubt.c - a commit whose answer does not say whether it was made: lost, a server's failure, or "too many requests" from
 * something between that may have come after the fact. It is looked for before it is sent again, a pull request by its title
 * and what is in it, so that nothing is committed twice.
 * What cannot be found out ends with the error as it came. */
#include "commit.h"

#include <string.h>

enum { LOST_MOST = 3, REFUSED_MOST = 5, PATIENCE_MS = 3600000 };

/* The answer is lost, and with it whether the commit was made. */
static bool is_lost(hf_status st, uint32_t status) {
  return status == 500 || status == 502 || status == 504 || ((st == HF_ENET || st == HF_ETIMEDOUT) && !status);
}

/* The server says that it did nothing; who said so may not know. */
static bool is_refused(uint32_t status) {
  return status == 429 || status == 503;
}

bool hf_hub_commit_in_doubt(hf_call *c, hf_status st) {
  const struct hf_error *e = hf_host()->error(c);
  uint32_t status = e ? e->http_status : 0;
  return is_lost(st, status) || is_refused(status);
}

static hf_status found_at(struct hf_hub_commit *k, struct hf_hub *hub, const char *revision) {
  json_t *raw = NULL;
  TRY(hf_hub_info(hub, &k->repo, revision, NULL, &raw));
  const char *sha = hf_hub_get(raw, "sha");
  k->oid = sha ? hf_host()->intern(hub->call, sha, SIZE_MAX) : NULL;
  k->url = k->oid ? hf_hub_commit_url(hub->call, k, k->oid) : NULL;
  k->committed = k->url != NULL;
  json_decref(raw);
  return k->url ? HF_OK
                : hf_hub_fail(hub->call, HF_EPROTO, NULL, "The Hub did not say which commit it made; look at %s.",
                              k->repo.id);
}

/* An open pull request of this title that has all of it; *made as of hf_hub_commit_was_made. */
static hf_status look_for_pull(struct hf_hub_commit *k, struct hf_hub *hub, const char *title,
                               struct hf_hub_op *const *ops, uint32_t count, int *made) {
  hf_call *c = hub->call;
  json_t *raw = NULL, *item;
  size_t i;
  const char *api = hf_hub_api_url(hub, &k->repo), *url = api ? hf_hub_text(c, "%s/discussions?p=0", api) : NULL;
  if (!url) return HF_ENOMEM;
  *made = -1;
  TRY(hf_hub_json(hub, &(struct hf_hub_req){.method = "GET", .url = url}, &raw));
  hf_status st = HF_OK;
  *made = 0;
  json_array_foreach(json_object_get(raw, "discussions"), i, item) {
    const char *is = hf_hub_get(item, "title"), *status = hf_hub_get(item, "status");
    json_int_t num = json_integer_value(json_object_get(item, "num"));
    if (!json_is_true(json_object_get(item, "isPullRequest")) || !is || strcmp(is, title) || num <= 0) continue;
    if (!status || (strcmp(status, "open") && strcmp(status, "draft"))) continue;
    const char *ref = hf_hub_text(c, "refs/pr/%lld", (long long)num);
    *made = ref ? hf_hub_commit_was_made(hub, &k->repo, ref, ops, count) : -1;
    if (*made == 0) continue;
    if (*made > 0) {
      bool model = !strcmp(k->repo.type, "model");
      st = found_at(k, hub, ref);
      k->pr_url = hf_hub_text(c, "%s/%s%s%s/discussions/%lld", k->hub->endpoint, model ? "" : k->repo.type,
                              model ? "" : "s/", k->repo.id, (long long)num);
      if (st == HF_OK && !k->pr_url) st = HF_ENOMEM;
    }
    break;
  }
  json_decref(raw);
  return st;
}

/* HF_OK: it was made after all; HF_PENDING: it was not, and may be sent again; else the failure, as it was. */
static hf_status look(hf_call *c, const struct hf_hub_doubt *d, const struct hf_error *lost) {
  struct hf_hub_commit *k = d->k;
  struct hf_hub hub = *k->hub;
  int made = -1;
  hf_status st = HF_OK;
  hub.call = c;
  if (d->opens_pull)
    st = look_for_pull(k, &hub, d->title, d->ops, d->count, &made);
  else
    made = hf_hub_commit_was_made(&hub, &k->repo, d->revision, d->ops, d->count);
  if (st == HF_OK && made > 0) st = d->opens_pull ? HF_OK : found_at(k, &hub, d->revision);
  if (st == HF_OK && made > 0) return HF_OK;
  bool untold = made < 0 && !hf_host()->error(c); /* copies: nothing tells an old one from a new one */
  hf_host()->clear(c);
  if (made == 0 || (untold && is_refused(lost->http_status))) return HF_PENDING;
  return hf_host()->fail(c, lost);
}

hf_status hf_hub_commit_doubt(hf_call *c, const struct hf_hub_doubt *d, uint32_t n) {
  struct hf_error lost;
  TRY(hf_hub_error_keep(c, &lost));
  bool refused = is_refused(lost.http_status);
  uint32_t wish = lost.retry_after_ms, most = refused ? REFUSED_MOST : LOST_MOST;
  if (wish > PATIENCE_MS) return lost.code;
  hf_host()->clear(c);
  if (refused) {
    if (wish)
      hf_hub_log(d->k->hub, HF_LOG_WARNING, "Rate limited. Waiting %.1fs before retry [Retry %u/%u].",
                 (double)wish / 1000 + 1, n, most);
    TRY(hf_host()->backoff(c, n, wish));
  }
  hf_status found = look(c, d, &lost);
  if (found != HF_PENDING) return found;
  if (n >= most) return hf_host()->fail(c, &lost);
  return refused || hf_host()->backoff(c, n, 0) == HF_OK ? HF_PENDING : hf_host()->check(c);
}
