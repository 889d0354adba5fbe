/* poll.c - a job that is not done with the POST: asked for until it is, with patience and an end.
 * URLs that an answer names are asked at the host where the POST went; where a row says {abs:..}, as they are and then without
 * any credential. Given up, the job is cancelled where the provider has a way for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

struct job {
  struct inf *f;
  const struct hf_pv_poll *p;
  const json_t *posted, *last;
  const char *id;
  bool open; /* the URL that was made is asked without credentials */
};

/* ---- URLs ---------------------------------------------------------------------------------------------------------------- */

static size_t origin_length(const char *url) {
  const char *host = strstr(url, "://");
  return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : 0;
}

/* The path of a URL, fit for another host; NULL: it has none. */
static const char *path_of(struct inf *f, const char *url) {
  url += origin_length(url);
  size_t len = strcspn(url, "?#");
  if (!len || *url != '/') return NULL;
  const char *plain = hf_host()->intern(f->c, url, len);
  return plain ? hf_url_quote(f->c, plain, "/%:@!$&'()*+,;=~") : NULL;
}

/* Where the POST went, with the router's segment. */
static const char *base_of(struct inf *f) {
  int origin = (int)origin_length(f->url);
  return f->routed ? hf_hub_text(f->c, "%.*s/%s", origin, f->url, f->provider)
                   : hf_hub_text(f->c, "%.*s", origin, f->url);
}

static const char *at_home(struct job *j, const char *url) {
  const char *path = path_of(j->f, url), *base = path ? base_of(j->f) : NULL;
  return base ? hf_hub_text(j->f->c, "%s%s", base, path) : NULL;
}

static const char *place(struct job *j, const char *word, size_t n) {
  struct inf *f = j->f;
  size_t query = strcspn(f->url, "?");
  if (n == 4 && !strncmp(word, "base", 4)) return base_of(f);
  if (n == 3 && !strncmp(word, "url", 3)) return hf_hub_text(f->c, "%.*s", (int)query, f->url);
  if (n == 5 && !strncmp(word, "query", 5)) return f->url + query;
  if (n == 2 && !strncmp(word, "id", 2)) return j->id ? hf_url_quote(f->c, j->id, "") : NULL;
  bool abs = n > 4 && !strncmp(word, "abs:", 4), path = n > 5 && !strncmp(word, "path:", 5);
  const char *name = abs || path ? hf_hub_text(f->c, "%.*s", (int)(n - (abs ? 4 : 5)), word + (abs ? 4 : 5)) : NULL;
  const char *url = name ? json_string_value(inf_at(j->posted, name)) : NULL;
  if (!url || (abs && !inf_is_url(url))) return NULL;
  if (abs) {
    j->open = true;
    return url;
  }
  return path_of(f, url);
}

static const char *make(struct job *j, const char *text) {
  const char *out = "";
  j->open = false;
  while (*text && out) {
    size_t n = strcspn(text, "{"), k = text[n] ? strcspn(text + n, "}") : 0;
    const char *word = k ? place(j, text + n + 1, k - 1) : "";
    if (!word) return NULL;
    out = hf_hub_text(j->f->c, "%s%.*s%s", out, (int)n, text, word);
    text += n + k + (k > 0 && text[n + k]);
  }
  return out;
}

static hf_status no_url(struct job *j, const char *what) {
  char *text = json_dumps(j->posted, JSON_COMPACT | JSON_ENCODE_ANY);
  hf_status st = inf_fail(j->f, HF_EPROTO, "ValueError", "%s took the job and did not say %s: %.600s", j->f->provider,
                          what, text ? text : "");
  free(text);
  return st;
}

/* ---- status -------------------------------------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *status) {
  if (!list) return false;
  for (const char *p = list; *p;) {
    size_t n = strcspn(p, ",");
    if (n == 1 && *p == '*') return true;
    if (n == 1 && *p == '-' && !status) return true;
    if (status && strlen(status) == n && !strncmp(p, status, n)) return true;
    p += n + (p[n] == ',');
  }
  return false;
}

static const char *status_of(const struct job *j, const json_t *answer) {
  return json_string_value(inf_at(answer, j->p->status));
}

static hf_status failed(struct job *j, const json_t *answer, const char *status) {
  const json_t *reason = j->p->error ? inf_at(answer, j->p->error) : NULL;
  char *whole = json_dumps(answer, JSON_ENCODE_ANY | JSON_COMPACT);
  const char *said = json_string_value(reason);
  hf_status st =
      inf_fail(j->f, HF_EPROTO, "ValueError", "%s could not do the job (status %s): %.500s%s%.900s", j->f->provider,
               status ? status : "none", said ? said : "", said ? "; the whole answer: " : "", whole ? whole : "");
  free(whole);
  return st;
}

/* HF_OK: done. HF_PENDING: not yet. */
static hf_status judge(struct job *j, const json_t *answer) {
  const char *status = status_of(j, answer);
  if (status && listed(j->p->done, status)) return HF_OK;
  if (status && listed(j->p->failed, status)) return failed(j, answer, status);
  if (listed(j->p->pending, status)) return HF_PENDING;
  return failed(j, answer, status);
}

/* ---- the clock -------------------------------------------------------------------------------------------------------------- */

static double scale(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_INFERENCE_POLL_SCALE");
  char *end;
  double v = set ? strtod(set, &end) : 1;
  return set && (end == set || *end || !(v >= 0) || v > 1000) ? 1 : v;
}

static hf_status wait(struct inf *f, uint32_t ms) {
  double scaled = ms * scale(f->c);
  uint64_t whole = (uint64_t)scaled;
  return hf_call_sleep(f->c, whole + (scaled > (double)whole));
}

/* Given up by the caller: the provider is told, where it wants to know. Not when it was the provider that failed. */
static void cancel(struct job *j) {
  bool given_up = hf_host()->check(j->f->c) != HF_OK;
  const char *url = given_up && j->p->cancel_url ? make(j, j->p->cancel_url) : NULL;
  if (url && !j->open) inf_cancel_job(j->f, url);
}

static hf_status watch(struct job *j) {
  struct inf *f = j->f;
  const char *url = make(j, j->p->url);
  bool open = j->open;
  if (!url) return no_url(j, "where to ask for it");
  hf_status st = HF_PENDING;
  for (uint32_t n = 0; st == HF_PENDING; n++) {
    if (j->p->max_polls && n == j->p->max_polls)
      return inf_fail(f, HF_ETIMEDOUT, "ValueError",
                      "Timed out while waiting for the result of %s: it was not done after %u looks.", f->provider, n);
    if (n || !(j->p->flags & HF_PV_POLL_NO_DELAY)) TRY(wait(f, j->p->interval_ms));
    TRY(inf_get(f, url, open, &j->last));
    st = judge(j, j->last);
  }
  return st;
}

static hf_status by_row(struct job *j) {
  struct inf *f = j->f;
  const char *status = status_of(j, j->posted);
  if (j->p->id) {
    const json_t *id = inf_at(j->posted, j->p->id);
    if (json_is_integer(id)) j->id = hf_hub_text(f->c, "%lld", (long long)json_integer_value(id));
    if (json_is_string(id)) j->id = json_string_value(id);
    if (!j->id || !*j->id) return no_url(j, "its id (No request ID)");
  }
  hf_status st = HF_PENDING;
  if (j->p->post_pending && !listed(j->p->post_pending, status)) {
    if (listed(j->p->failed, status)) return failed(j, j->posted, status);
    return HF_OK;
  }
  if (j->p->flags & HF_PV_POLL_FROM_POST) st = judge(j, j->posted);
  if (st == HF_PENDING) st = watch(j);
  if (st != HF_OK) {
    cancel(j);
    return st;
  }
  const char *url = j->p->result_url ? make(j, j->p->result_url) : NULL;
  if (!j->p->result_url) return HF_OK;
  return url ? inf_get(f, url, j->open, &j->last) : no_url(j, "where its result is");
}

enum { HOOK_POLLS_MAX = 100000 };

static hf_status by_hook(struct job *j) {
  struct inf *f = j->f;
  for (uint32_t n = 0; n < HOOK_POLLS_MAX; n++) {
    f->next_url = NULL;
    hf_status st = inf_hook_call(f, &(struct inf_hook){.which = INF_POLL_NEXT, .answer = j->last, .n = n});
    if (st != HF_PENDING)
      return st == HF_OK || hf_host()->error(f->c)
                 ? st
                 : inf_fail(f, HF_EABI, NULL, "%s failed to read its answer.", f->provider);
    if (!f->next_url) return inf_fail(f, HF_EABI, NULL, "%s wants to wait and does not say for what.", f->provider);
    TRY(wait(f, f->next_wait < 50 ? 50 : f->next_wait));
    const char *url = f->asked_url = f->next_url;
    if (f->next_flags & HF_PV_ASK_SAME_HOST) url = at_home(j, url);
    if (!url) return no_url(j, "where to ask for it");
    bool open = (f->next_flags & HF_PV_ASK_NO_AUTH) || !hf_url_same_origin(url, f->url);
    TRY(inf_get(f, url, open, &j->last));
  }
  return inf_fail(f, HF_ETIMEDOUT, "InferenceTimeoutError", "The job at %s does not end.", f->provider);
}

hf_status inf_poll(struct inf *f, const json_t *posted, const json_t **last) {
  struct job j = {.f = f, .p = f->row->poll, .posted = posted, .last = posted};
  hf_status st = f->row->poll_next ? by_hook(&j) : f->row->poll ? by_row(&j) : HF_OK;
  *last = j.last;
  return st;
}
