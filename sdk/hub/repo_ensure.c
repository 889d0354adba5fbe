/* repo_ensure.c - the repo and the branch that something is uploaded to, made when they are missing. That somebody else made
 * them, or that this token may not make any while the repo is there, is no failure.
 * The Hub's answer says the repo's full name, which is used from then on. */
#include "commit.h"

#include <stdlib.h>
#include <string.h>

enum { BUSY_TRIES = 20 };

/* "ENDPOINT/datasets/ns/name" -> "ns/name"; NULL: nothing of that kind. */
static const char *name_in(struct hf_hub *hub, const char *type, const char *url) {
  static const char *const hosts[] = {"https://huggingface.co/", "https://hub-ci.huggingface.co/"};
  size_t n = strlen(hub->endpoint);
  const char *at = url && !strncmp(url, hub->endpoint, n) && url[n] == '/' ? url + n + 1 : NULL;
  for (size_t i = 0; url && !at && i < HF_COUNT(hosts); i++)
    if (!strncmp(url, hosts[i], strlen(hosts[i]))) at = url + strlen(hosts[i]);
  if (!at) return NULL;
  n = strlen(type);
  if (!strncmp(at, type, n) && !strncmp(at + n, "s/", 2)) at += n + 2;
  return strchr(at, '/') && !hf_hub_repo_problem(hub->call, at) ? hf_host()->intern(hub->call, at, SIZE_MAX) : NULL;
}

static char *question(const struct hf_repo *repo, int private_) {
  const char *slash = strchr(repo->id, '/');
  json_t *body = json_object();
  json_object_set_new(body, "name", json_string(slash ? slash + 1 : repo->id));
  json_object_set_new(body, "organization", slash ? json_stringn(repo->id, (size_t)(slash - repo->id)) : json_null());
  if (private_ >= 0) json_object_set_new(body, "visibility", json_string(private_ ? "private" : "public"));
  json_object_set_new(body, "type", json_string(repo->type));
  if (!strcmp(repo->type, "space")) json_object_set_new(body, "sdk", json_string("gradio"));
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  return text;
}

/* After a refusal: the repo may be there all the same. */
static hf_status is_there(struct hf_hub *hub, const struct hf_repo *repo, hf_status st) {
  hf_call *c = hub->call;
  struct hf_error refusal;
  json_t *raw;
  TRY(hf_hub_error_keep(c, &refusal));
  hf_host()->clear(c);
  if (hf_hub_info(hub, repo, NULL, NULL, &raw) == HF_OK) return json_decref(raw), HF_OK;
  if (hf_host()->check(c) != HF_OK) return hf_host()->check(c);
  hf_host()->clear(c);
  hf_host()->fail(c, &refusal);
  return st;
}

hf_status hf_hub_repo_ensure(struct hf_hub *hub, struct hf_repo *repo, int private_) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  const char *url = hf_hub_text(c, "%s/api/repos/create", hub->endpoint);
  char *body = url ? question(repo, private_) : NULL;
  if (!body) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = HF_OK;
  uint32_t status = 0;
  for (uint32_t n = 1;; n++) {
    st = hf_hub_send(
        hub,
        &(struct hf_hub_req){
            .method = "POST", .url = url, .type = "application/json", .body = body, .body_len = strlen(body)},
        &resp);
    const struct hf_error *e = hf_host()->error(c);
    status = st == HF_OK ? resp.status : e ? e->http_status : 0;
    bool busy = status == 409 && resp.body_len &&
                strstr(resp.body, "Cannot create repo: another conflicting operation is in progress");
    if (!busy || n == BUSY_TRIES) break;
    hf_host()->clear(c);
    if ((st = hf_host()->backoff(c, n, 0)) != HF_OK) break;
  }
  free(body);
  if (status == 401 || status == 402 || status == 403) return is_there(hub, repo, st);
  if (st != HF_OK && status != 409) return st;
  json_t *raw = resp.body_len ? json_loadb(resp.body, resp.body_len, 0, NULL) : NULL;
  const char *name = name_in(hub, repo->type, hf_hub_get(raw, "url"));
  json_decref(raw);
  if (st != HF_OK && !name && !strchr(repo->id, '/')) return st;
  hf_host()->clear(c);
  if (name) repo->id = name;
  return HF_OK;
}

hf_status hf_hub_branch_ensure(struct hf_hub *hub, const struct hf_repo *repo, const char *revision) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  json_t *raw;
  hf_status st = hf_hub_info(hub, repo, revision, NULL, &raw);
  if (st == HF_OK) return json_decref(raw), HF_OK;
  if (!hf_hub_error_is(hf_host()->error(c), "RevisionNotFoundError")) return st;
  hf_host()->clear(c);
  hf_hub_log(hub, HF_LOG_INFO, "Branch '%s' not found. Creating it...", revision);
  const char *url = hf_hub_api_url(hub, repo), *branch = hf_hub_quote(c, revision, "");
  url = url && branch ? hf_hub_text(c, "%s/branch/%s", url, branch) : NULL;
  if (!url) return HF_ENOMEM;
  st = hf_hub_send(
      hub, &(struct hf_hub_req){.method = "POST", .url = url, .type = "application/json", .body = "{}", .body_len = 2},
      &resp);
  const struct hf_error *e = hf_host()->error(c);
  if (st != HF_OK && e && e->http_status == 409) { /* somebody was faster */
    hf_host()->clear(c);
    st = HF_OK;
  }
  return st;
}
