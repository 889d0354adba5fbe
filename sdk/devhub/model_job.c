/* model_job.c - jobs: what is asked for with a POST and there after a while, in the shapes of three providers.
 * The first look at a job finds it queued, the second running, the third done; a job can be called off. Without the queue
 * of fal-ai (?_subdomain=queue) its answer is there at once. The newest JOBS_MAX jobs are remembered. */
#include "body.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 1024 };
struct jobs {
  pthread_mutex_t lock;
  uint64_t next;
  struct {
    uint64_t number;
    unsigned looks;
    bool canceled;
    char picture[200], sound[200], video[200]; /* URLs */
  } rows[JOBS_MAX];
};

struct jobs *dh_jobs_new(void) {
  struct jobs *jobs = calloc(1, sizeof *jobs);
  if (jobs) pthread_mutex_init(&jobs->lock, NULL);
  return jobs;
}

void dh_jobs_free(struct jobs *jobs) {
  if (jobs) pthread_mutex_destroy(&jobs->lock);
  free(jobs);
}

struct look {
  enum job_state state;
  char picture[200], sound[200], video[200];
};

static void put_url(const struct request *r, char out[200], const char *suffix, const char *prompt) {
  struct text t = {0};
  dh_model_media_url(r, &t, suffix, prompt);
  snprintf(out, 200, "%s", t.data ? t.data : "");
  dh_text_free(&t);
}

static uint64_t job_new(struct request *r, const char *prompt) {
  struct jobs *jobs = r->server->jobs;
  pthread_mutex_lock(&jobs->lock);
  uint64_t number = ++jobs->next, i = number % JOBS_MAX;
  jobs->rows[i].number = number;
  jobs->rows[i].looks = 0;
  jobs->rows[i].canceled = false;
  put_url(r, jobs->rows[i].picture, "png", prompt);
  put_url(r, jobs->rows[i].sound, "wav", prompt);
  put_url(r, jobs->rows[i].video, "mp4", prompt);
  pthread_mutex_unlock(&jobs->lock);
  return number;
}

static struct look job_look(struct server *s, uint64_t number, bool counts, bool cancel) {
  struct jobs *jobs = s->jobs;
  struct look look = {.state = JOB_NONE};
  uint64_t i = number % JOBS_MAX;
  pthread_mutex_lock(&jobs->lock);
  if (number && jobs->rows[i].number == number) {
    if (cancel) jobs->rows[i].canceled = true;
    if (counts) jobs->rows[i].looks++;
    unsigned looks = jobs->rows[i].looks;
    look.state = jobs->rows[i].canceled ? JOB_CANCELED : looks < 2 ? JOB_QUEUED : looks < 3 ? JOB_RUNNING : JOB_DONE;
    memcpy(look.picture, jobs->rows[i].picture, sizeof look.picture);
    memcpy(look.sound, jobs->rows[i].sound, sizeof look.sound);
    memcpy(look.video, jobs->rows[i].video, sizeof look.video);
  }
  pthread_mutex_unlock(&jobs->lock);
  return look;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------------------ */

static json_t *fal_result(const struct look *l) {
  return json_pack("{s:[{s:s, s:s}], s:{s:s}, s:{s:s}, s:{s:s}, s:s}", "images", "url", l->picture, "content_type",
                   "image/png", "video", "url", l->video, "audio", "url", l->sound, "image", "url", l->picture, "text",
                   "what was said");
}

static json_t *fal_job(const struct request *r, uint64_t number, const char *model, enum job_state state) {
  static const char *const names[] = {"", "IN_QUEUE", "IN_PROGRESS", "COMPLETED", "CANCELED"};
  struct text t = {0};
  dh_origin(r, &t, ORIGIN_HUB);
  dh_text_str(&t, "/");
  dh_text_percent(&t, model, "/");
  dh_text_addf(&t, "/requests/%llu", (unsigned long long)number);
  char *url = dh_text_take(&t);
  json_t *job = json_pack("{s:s, s:o, s:s, s:s+, s:s+}", "status", names[state], "request_id",
                          json_sprintf("%llu", (unsigned long long)number), "response_url", url ? url : "",
                          "status_url", url ? url : "", "/status", "cancel_url", url ? url : "", "/cancel");
  free(url);
  return job;
}

static json_t *wavespeed_job(const struct request *r, uint64_t number, const struct look *l) {
  static const char *const names[] = {"", "created", "processing", "completed", "failed"};
  struct text t = {0};
  dh_origin(r, &t, ORIGIN_HUB);
  dh_text_addf(&t, "/api/v3/predictions/%llu/result", (unsigned long long)number);
  char *url = dh_text_take(&t);
  json_t *outputs = l->state == JOB_DONE ? json_pack("[s]", l->picture) : json_array();
  json_t *job =
      json_pack("{s:i, s:s, s:{s:o, s:s, s:s, s:{s:s}, s:o}}", "code", 200, "message", "success", "data", "id",
                json_sprintf("%llu", (unsigned long long)number), "status", names[l->state], "error",
                l->state == JOB_CANCELED ? "it was called off" : "", "urls", "get", url ? url : "", "outputs", outputs);
  free(url);
  return job;
}

static json_t *video_job(uint64_t number, const struct look *l) {
  static const char *const names[] = {"", "queued", "in_progress", "completed", "failed"};
  json_t *job = json_pack("{s:o, s:s, s:s}", "id", json_sprintf("%llu", (unsigned long long)number), "object", "video",
                          "status", names[l->state]);
  if (l->state == JOB_DONE) json_object_set_new(job, "outputs", json_pack("{s:s}", "video_url", l->video));
  if (l->state == JOB_CANCELED) json_object_set_new(job, "error", json_pack("{s:s}", "message", "it was called off"));
  return job;
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------- */

void dh_model_job_start(struct request *r, const json_t *body) {
  const char *prompt = dh_json_text(body, "prompt", dh_json_text(body, "text", "")),
             *subdomain = dh_request_parameter(r, "_subdomain");
  uint64_t number = job_new(r, prompt);
  struct look l = job_look(r->server, number, false, false);
  if (strcmp(r->name, "wavespeed") == 0)
    dh_reply_json(r, 200, wavespeed_job(r, number, &l));
  else if (strcmp(r->name, "fal-ai") == 0 && subdomain && strcmp(subdomain, "queue") == 0)
    dh_reply_json(r, 200, fal_job(r, number, r->file, JOB_QUEUED));
  else if (strcmp(r->name, "fal-ai") == 0)
    dh_reply_json(r, 200, fal_result(&l));
  else
    dh_reply_json(r, 200, video_job(number, &l));
}

/* The number behind `mark` in the path; *rest is what follows it. 0: it is none. */
static uint64_t number_after(const char *path, const char *mark, const char **rest) {
  const char *at = strstr(path, mark);
  uint64_t n = 0;
  char digits[24];
  if (!at) return 0;
  at += strlen(mark);
  size_t size = strspn(at, "0123456789");
  *rest = at + size;
  if (!size || size >= sizeof digits) return 0;
  memcpy(digits, at, size);
  digits[size] = 0;
  return dh_number(digits, UINT64_MAX, &n) ? n : 0;
}

/* GET of a job, PUT to call it off. */
void dh_model_job(struct request *r) {
  const char *rest = "";
  uint64_t fal = number_after(r->file, "/requests/", &rest), other = 0;
  if (fal) {
    const char *at = strstr(r->file, "/requests/");
    bool cancel = strcmp(rest, "/cancel") == 0, status = strcmp(rest, "/status") == 0;
    struct look l = job_look(r->server, fal, status, cancel && r->method == METHOD_PUT);
    r->file[at - r->file] = 0;
    if (l.state == JOB_NONE || (*rest && !status && !cancel)) {
      dh_model_error(r, 404, NULL, "There is no such job.");
    } else if (cancel) {
      dh_reply_json(r, 202, json_pack("{s:s}", "status", "CANCELLATION_REQUESTED"));
    } else if (status) {
      dh_reply_json(r, 200, fal_job(r, fal, r->file, l.state));
    } else if (l.state == JOB_DONE) {
      dh_reply_json(r, 200, fal_result(&l));
    } else {
      dh_model_error(r, 400, NULL, "The job is not done yet.");
    }
    return;
  }
  bool wave = (other = number_after(r->file, "predictions/", &rest)) != 0;
  if (!other) other = number_after(r->file, "videos/", &rest);
  struct look l = job_look(r->server, other, true, false);
  if (r->method == METHOD_PUT || l.state == JOB_NONE)
    dh_reply_error(r, 404, NULL, "Sorry, we can't find the page you are looking for.");
  else
    dh_reply_json(r, 200, wave ? wavespeed_job(r, other, &l) : video_job(other, &l));
}
