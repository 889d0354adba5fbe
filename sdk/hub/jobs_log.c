/* jobs_log.c - streams of events about a job or a Space: read as they come, opened again where they broke off.
 * An event is one line "data: {...}". What was seen already is skipped when a stream is opened again: the server replays it.
 * Silence of the agreed length ends the reading of what is there now, or leads to a look at the job's stage. */
#include "inference/sse.h"
#include "jobs.h"

#include <stdio.h>
#include <string.h>

enum { EVENT_MAX = 4 << 20, TRIES = 5, ENOUGH_MS = 5000 };

struct reading {
  struct hf_hub *hub;
  struct hf_job_stream *stream;
  struct hf_sse sse;
  uint64_t seen, index; /* events handed out; of this connection */
  uint64_t began;
  json_t *last; /* with tail: the last one, from which to go on */
  bool resume;
  bool fresh; /* something new came on this connection */
};

static bool earlier(const json_t *a, const json_t *b) {
  const char *at = hf_hub_get(a, "timestamp"), *then = hf_hub_get(b, "timestamp");
  return at && then && strcmp(at, then) <= 0;
}

static hf_status on_event(void *arg, const char *name, const char *data, size_t len) {
  struct reading *r = arg;
  json_t *event;
  (void)name;
  if (!len || *data != '{') return HF_OK;
  uint64_t index = r->index++;
  if (index < r->seen) return HF_OK;
  TRY(hf_hub_parse(r->hub->call, data, len, r->stream->url, &event));
  if (r->resume) {
    bool same = json_equal(event, r->last) != 0;
    if (same || earlier(event, r->last)) {
      if (same) r->resume = false, r->seen = index + 1;
      return json_decref(event), HF_OK;
    }
    r->resume = false;
  }
  r->seen = index + 1;
  r->fresh = true;
  if (!r->stream->follow && hf_host()->now_ns() - r->began > ENOUGH_MS * 1000000ull)
    return json_decref(event), HF_PENDING;
  hf_status st = r->stream->event(r->stream->arg, event);
  if (r->stream->tail >= 0) {
    json_decref(r->last);
    r->last = json_incref(event);
  }
  json_decref(event);
  return st != HF_OK ? st : r->stream->once ? HF_PENDING : HF_OK;
}

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct reading *r = arg;
  (void)c;
  return hf_sse_feed(&r->sse, data, len);
}

/* One connection. *broken: it was lost or silent, which is no error by itself. */
static hf_status connection(struct reading *r, const char *url, bool *broken, bool *silent) {
  struct hf_job_stream *s = r->stream;
  hf_call *c = r->hub->call;
  struct hf_http_resp resp;
  *broken = *silent = false;
  r->index = 0;
  r->fresh = false;
  r->began = hf_host()->now_ns();
  hf_sse_init(&r->sse, EVENT_MAX, on_event, r);
  hf_status st = hf_hub_send(r->hub,
                             &(struct hf_hub_req){.url = url,
                                                  .tries = 1,
                                                  .timeout_ms = s->silence_ms,
                                                  .flags = HF_HTTP_PATIENT,
                                                  .on_data = on_data,
                                                  .on_data_arg = r},
                             &resp);
  if (st == HF_OK) st = hf_sse_end(&r->sse);
  hf_sse_free(&r->sse);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  uint32_t status = e ? e->http_status : 0;
  if (st == HF_PENDING) {
    if (e) hf_host()->clear(c);
    return HF_PENDING;
  }
  if (status && (status == s->ignored[0] || status == s->ignored[1])) {
    hf_host()->clear(c);
    return HF_OK;
  }
  if (st == HF_OK || status || st == HF_ECANCELED || st == HF_ENOMEM || hf_host()->check(c) != HF_OK) return st;
  *silent = st == HF_ETIMEDOUT;
  *broken = *silent || st == HF_ENET || st == HF_EPROTO;
  return *broken ? HF_OK : st;
}

static hf_status read_all(struct reading *r) {
  struct hf_job_stream *s = r->stream;
  hf_call *c = r->hub->call;
  uint32_t tries = 0, nap = 0;
  const char *url = s->url;
  if (s->tail >= 0) url = hf_hub_text(c, "%s?tail=%lld", s->url, (long long)s->tail);
  for (;;) {
    bool broken, silent, over = false;
    if (!url) return HF_ENOMEM;
    hf_status st = connection(r, url, &broken, &silent);
    if (st == HF_PENDING) return HF_OK;
    TRY(st);
    if (r->fresh) tries = nap = 0;
    if (!s->follow) {
      if (broken && !silent) return hf_host()->error(c)->code;
      if (broken) hf_host()->clear(c);
      return HF_OK;
    }
    if (!broken && !s->over) return HF_OK;
    if (broken && (!silent || !s->over)) {
      if (tries++ >= TRIES) {
        if (!silent) return hf_host()->error(c)->code;
        hf_host()->clear(c);
        return HF_OK;
      }
      hf_hub_log(r->hub, HF_LOG_WARNING, "'%s' thrown while requesting %s", hf_host()->error(c)->message, s->url);
    }
    if (broken) hf_host()->clear(c);
    if (s->tail >= 0 && url != s->url) r->resume = r->last != NULL, r->seen = 0;
    url = s->url;
    if (s->over) TRY(s->over(s->arg, &over));
    if (over) return HF_OK;
    nap = nap ? (nap * 2 > 10000 ? 10000 : nap * 2) : 2000;
    TRY(hf_hub_nap(c, nap));
    if (s->over && !broken) TRY(s->over(s->arg, &over));
    if (over) return HF_OK;
  }
}

hf_status hf_hub_stream(struct hf_hub *hub, struct hf_job_stream *s) {
  struct reading r = {.hub = hub, .stream = s};
  hf_status st = read_all(&r);
  json_decref(r.last);
  return st;
}

/* ---- the log of a job ------------------------------------------------------------------------------------------------------ */

struct following {
  struct hf_hub *hub;
  const struct hf_job_at *at;
};

static hf_status show_line(void *arg, const json_t *event) {
  struct following *f = arg;
  const char *text = hf_hub_get(event, "data");
  if (!text || !strncmp(text, "===== Job started", 17)) return HF_OK;
  return hf_hub_say(f->hub->out, f->hub->call, HF_OUT_TEXT, text);
}

static hf_status is_over(void *arg, bool *over) {
  struct following *f = arg;
  json_t *job;
  TRY(hf_hub_job_ask(f->hub, "GET", "/api/jobs/{namespace}/{id}", f->at, NULL, &job));
  *over = hf_hub_job_over(hf_hub_job_stage(job));
  json_decref(job);
  return HF_OK;
}

hf_status hf_hub_job_follow(struct hf_hub *hub, const struct hf_job_at *at, bool follow, int64_t tail) {
  struct following f = {hub, at};
  struct hf_job_stream s = {.url = hf_hub_job_url(hub, "/api/jobs/{namespace}/{id}/logs", at),
                            .tail = tail,
                            .follow = follow,
                            .silence_ms = follow ? 120000 : ENOUGH_MS,
                            .over = is_over,
                            .event = show_line,
                            .arg = &f};
  return s.url ? hf_hub_stream(hub, &s) : HF_ENOMEM;
}
