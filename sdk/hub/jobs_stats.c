/* jobs_stats.c - `hf jobs stats`: what jobs use of their machines now, or again and again until they are over.
 * A sample is the first event of a job's stream of metrics; a job that is over has none.
 * People get a table as wide as their terminal, programs the samples as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "jobs.h"

#define COLUMN_COUNT 9
#define JOBS_MOST    256

static const char *const titles[COLUMN_COUNT] = {"JOB ID",  "CPU %",      "NUM CPU",   "MEM %",        "MEM USAGE",
                                                 "NET I/O", "GPU UTIL %", "GPU MEM %", "GPU MEM USAGE"};

struct stats {
  struct hf_hub hub;
  struct hf_job_at jobs[JOBS_MOST];
  json_t *samples[JOBS_MOST]; /* NULL: none */
  bool over[JOBS_MOST];
  size_t count;
};

/* ---- words ------------------------------------------------------------------------------------------------------------------ */

/* As Python prints a number. */
static const char *number_words(hf_call *c, double v) {
  char text[64] = "";
  if (!(v > -1e15 && v < 1e15)) return hf_hub_text(c, "%g", v);
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*f", digits, v);
    double back = strtod(text, NULL);
    if (!(back < v) && !(back > v)) break;
  }
  return hf_hub_text(c, "%s", text);
}

static const char *rounded(hf_call *c, double v, int digits) {
  char text[64];
  snprintf(text, sizeof text, "%.*f", digits, v);
  return number_words(c, strtod(text, NULL));
}

static double value(const json_t *v, const char *key) {
  return json_number_value(json_object_get(v, key));
}

static const char *size_words(hf_call *c, double v) {
  static const char units[] = "\0KMGTPEZ";
  size_t i = 0;
  for (; i < 8 && v >= 1000; i++) v /= 1000;
  return hf_hub_text(c, "%.1f%.1s", v, i < 8 ? units + i : "Y");
}

static const char *share(hf_call *c, const json_t *v) {
  double total = value(v, "memory_total_bytes");
  const char *text = rounded(c, total > 0 ? 100 * value(v, "memory_used_bytes") / total : 0, 2);
  return text ? hf_hub_text(c, "%s%%", text) : NULL;
}

static const char *both(hf_call *c, const json_t *v, const char *first, const char *second, const char *unit) {
  const char *a = size_words(c, value(v, first)), *b = size_words(c, value(v, second));
  return a && b ? hf_hub_text(c, "%s%s / %s%s", a, unit, b, unit) : NULL;
}

static const char *plain(hf_call *c, const json_t *v, const char *key) {
  const json_t *n = json_object_get(v, key);
  if (json_is_real(n)) {
    const char *text = number_words(c, json_real_value(n));
    return text ? hf_hub_text(c, "%s%%", text) : NULL;
  }
  return hf_hub_text(c, "%lld%%", (long long)json_integer_value(n));
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

struct grid {
  hf_call *call;
  const char *(*rows)[COLUMN_COUNT];
  size_t count, room;
};

static const char **new_row(struct grid *g) {
  if (g->count == g->room) {
    size_t more = g->room ? g->room * 2 : 16;
    const char *(*grown)[COLUMN_COUNT] = hf_host()->arena(g->call, more * sizeof *grown);
    if (!grown) return NULL;
    if (g->count) memcpy(grown, g->rows, g->count * sizeof *grown);
    g->rows = grown;
    g->room = more;
  }
  const char **row = g->rows[g->count++];
  for (size_t i = 0; i < COLUMN_COUNT; i++) row[i] = "";
  return row;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void gpu_cells(hf_call *c, const json_t *gpu, const char **row) {
  row[6] = plain(c, gpu, "utilization");
  row[7] = share(c, gpu);
  row[8] = both(c, gpu, "memory_used_bytes", "memory_total_bytes", "B");
}

static hf_status add_job(struct grid *g, const char *id, const json_t *sample) {
  hf_call *c = g->call;
  const json_t *gpus = json_object_get(sample, "gpus");
  const char **row = new_row(g), *cpu = rounded(c, value(sample, "cpu_millicores") / 1000, 1), *key;
  size_t n = json_object_size(gpus), i = 0;
  const char **names = hf_host()->arena(c, (n + 1) * sizeof *names);
  json_t *gpu;
  if (!row || !names || !cpu) return HF_ENOMEM;
  row[0] = id;
  row[1] = plain(c, sample, "cpu_usage_pct");
  row[2] = cpu;
  row[3] = share(c, sample);
  row[4] = both(c, sample, "memory_used_bytes", "memory_total_bytes", "B");
  row[5] = both(c, sample, "rx_bps", "tx_bps", "bps");
  row[6] = row[7] = row[8] = "N/A";
  json_object_foreach((json_t *)(uintptr_t)gpus, key, gpu) names[i++] = key;
  qsort(names, n, sizeof *names, by_name);
  for (i = 0; i < n; i++) {
    if (i && !(row = new_row(g))) return HF_ENOMEM;
    gpu_cells(c, json_object_get(gpus, names[i]), row);
  }
  return HF_OK;
}

static size_t terminal_width(void) {
  const char *set = getenv("COLUMNS");
  struct winsize size;
  long n = set ? strtol(set, NULL, 10) : 0;
  if (n > 0 && n < 100000) return (size_t)n;
  return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

/* The widest columns are halved until all fit; the last one that was gets what is left. */
static void fit(size_t width[COLUMN_COUNT]) {
  size_t most = terminal_width(), sum = 0;
  if (most < COLUMN_COUNT * 12) most = COLUMN_COUNT * 12;
  for (size_t i = 0; i < COLUMN_COUNT; i++) sum += width[i];
  while (COLUMN_COUNT + sum > most) {
    size_t widest = 0;
    for (size_t i = 1; i < COLUMN_COUNT; i++)
      if (width[i] > width[widest]) widest = i;
    sum -= width[widest] - width[widest] / 2;
    width[widest] /= 2;
    if (COLUMN_COUNT + sum > most) continue;
    width[widest] += most - sum - COLUMN_COUNT;
    break;
  }
}

static const char *drawn(struct grid *g) {
  size_t width[COLUMN_COUNT];
  for (size_t i = 0; i < COLUMN_COUNT; i++) {
    width[i] = strlen(titles[i]);
    for (size_t k = 0; k < g->count; k++)
      if (!g->rows[k][i])
        return NULL;
      else if (strlen(g->rows[k][i]) > width[i])
        width[i] = strlen(g->rows[k][i]);
  }
  fit(width);
  char *text = NULL, *kept = NULL;
  size_t len;
  FILE *m = open_memstream(&text, &len);
  for (size_t k = 0; m && k < g->count + 2; k++) {
    if (k) putc('\n', m);
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
      const char *cell = k == 0 ? titles[i] : k == 1 ? "" : g->rows[k - 2][i];
      size_t n = strlen(cell);
      if (k == 1)
        for (size_t d = 0; d < width[i]; d++) putc('-', m);
      else if (n > width[i])
        fprintf(m, "%.*s...", width[i] > 3 ? (int)width[i] - 3 : 0, cell);
      else
        fprintf(m, "%-*s", (int)width[i], cell);
      putc(' ', m);
    }
  }
  if (m && !fclose(m)) kept = (char *)(uintptr_t)hf_host()->intern(g->call, text, SIZE_MAX);
  free(text);
  return kept;
}

/* ---- samples -------------------------------------------------------------------------------------------------------------------- */

static hf_status on_sample(void *arg, const json_t *event) {
  json_t **sample = arg;
  if (!*sample) *sample = json_incref((json_t *)(uintptr_t)event);
  return HF_OK;
}

static hf_status sample_one(struct stats *s, size_t i) {
  struct hf_job_stream stream = {.url = hf_hub_job_url(&s->hub, "/api/jobs/{namespace}/{id}/metrics", &s->jobs[i]),
                                 .tail = -1,
                                 .once = true,
                                 .silence_ms = 10000,
                                 .ignored = {406, 500},
                                 .event = on_sample,
                                 .arg = &s->samples[i]};
  json_decref(s->samples[i]);
  s->samples[i] = NULL;
  return stream.url ? hf_hub_stream(&s->hub, &stream) : HF_ENOMEM;
}

/* The jobs as "namespace/id ..." */
static const char *names_of(const struct stats *s, bool sampled) {
  const char *out = "";
  for (size_t i = 0; out && i < s->count; i++)
    if (!sampled || s->samples[i])
      out = hf_hub_text(s->hub.call, "%s%s%s/%s", out, *out ? " " : "", s->jobs[i].space, s->jobs[i].id);
  return out;
}

static hf_status snapshot(struct stats *s, bool human) {
  hf_call *c = s->hub.call;
  struct grid g = {.call = c};
  for (size_t i = 0; i < s->count; i++) TRY(sample_one(s, i));
  for (size_t i = 0; i < s->count; i++) {
    if (s->samples[i] && human) {
      TRY(add_job(&g, s->jobs[i].id, s->samples[i]));
    } else if (s->samples[i]) {
      json_t *item = json_pack("{s:s}", "job_id", s->jobs[i].id);
      if (item) json_object_update(item, s->samples[i]);
      TRY(hf_hub_record(s->hub.out, c, HF_OUT_ITEM, item));
    } else {
      const char *text = hf_hub_text(c, "No stats available for Job %s. Is it running?", s->jobs[i].id);
      TRY(text ? hf_hub_say(s->hub.out, c, HF_OUT_WARNING, text) : HF_ENOMEM);
    }
  }
  if (!g.count) return hf_host()->record(s->hub.out, HF_OUT_TABLE_END, "{}", 2);
  const char *table = drawn(&g), *names = names_of(s, true);
  TRY(table && names ? hf_hub_say(s->hub.out, c, HF_OUT_TEXT, table) : HF_ENOMEM);
  return hf_hub_hint(&s->hub, "Use `hf jobs stats -f %s` to follow live stats.", names);
}

/* Is a job without a sample over? One that is not may only be slow. */
static hf_status look_again(struct stats *s, size_t i) {
  json_t *job;
  TRY(hf_hub_job_ask(&s->hub, "GET", "/api/jobs/{namespace}/{id}", &s->jobs[i], NULL, &job));
  s->over[i] = hf_hub_job_over(hf_hub_job_stage(job));
  json_decref(job);
  return HF_OK;
}

static hf_status redraw(struct stats *s, size_t *lines) {
  hf_call *c = s->hub.call;
  struct grid g = {.call = c};
  for (size_t i = 0; i < s->count; i++)
    if (s->samples[i] && !s->over[i]) TRY(add_job(&g, s->jobs[i].id, s->samples[i]));
  const char *table = drawn(&g), *up = *lines ? hf_hub_text(c, "\033[%zuA\033[J", *lines) : "";
  const char *text = table && up ? hf_hub_text(c, "%s%s", isatty(STDOUT_FILENO) ? up : "", table) : NULL;
  *lines = g.count + 2;
  return text ? hf_hub_say(s->hub.out, c, HF_OUT_RAW, text) : HF_ENOMEM;
}

static hf_status follow(struct stats *s) {
  size_t lines = 0, left = s->count;
  while (left) {
    left = 0;
    for (size_t i = 0; i < s->count; i++) {
      if (s->over[i]) continue;
      TRY(sample_one(s, i));
      if (!s->samples[i]) TRY(look_again(s, i));
      left += !s->over[i];
    }
    if (!left) break;
    TRY(redraw(s, &lines));
    TRY(hf_hub_nap(s->hub.call, 1000));
  }
  const char *names = names_of(s, false);
  return names ? hf_hub_hint(&s->hub,
                             "Stream ended. Run `hf jobs inspect %s` to check the final status (e.g. COMPLETED or "
                             "ERROR).",
                             names)
               : HF_ENOMEM;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------ */

static hf_status on_job(void *arg, json_t *job) {
  struct stats *s = arg;
  const char *stage = hf_hub_job_stage(job), *id = hf_hub_get(job, "id");
  if (!id || (strcmp(stage, "RUNNING") != 0 && strcmp(stage, "UPDATING") != 0)) return HF_OK;
  if (s->count == JOBS_MOST) return HF_PENDING;
  id = hf_host()->intern(s->hub.call, id, SIZE_MAX);
  s->jobs[s->count++] = (struct hf_job_at){s->jobs[0].space, id};
  return id ? HF_OK : HF_ENOMEM;
}

static hf_status which(struct stats *s, const hf_args *args, const char *space) {
  hf_call *c = s->hub.call;
  uint32_t n = hf_host()->arg_count(args, "job_ids");
  if (n > JOBS_MOST) return hf_hub_refuse(c, "At most %d jobs are looked at together.", JOBS_MOST);
  for (uint32_t i = 0; i < n; i++) {
    TRY(hf_hub_job_at(c, hf_host()->arg_str(args, "job_ids", i), space, &s->jobs[i]));
    space = s->jobs[i].space;
  }
  s->count = n;
  TRY(hf_hub_job_owner(&s->hub, &space));
  for (uint32_t i = 0; i < n; i++) s->jobs[i].space = space; /* one for all, as it was named */
  s->jobs[0].space = space;
  if (n) return HF_OK;
  const char *url = hf_hub_job_url(&s->hub, "/api/jobs/{namespace}", &s->jobs[0]);
  return url ? hf_hub_pages(&s->hub, url, on_job, s) : HF_ENOMEM;
}

static hf_status run(struct stats *s, const hf_args *args, const char *mode) {
  hf_call *c = s->hub.call;
  bool human = !mode || !strcmp(mode, "human");
  TRY(which(s, args, hf_hub_arg(args, "namespace")));
  if (s->count) return hf_hub_given(args, "follow") ? follow(s) : snapshot(s, human);
  TRY(hf_host()->record(s->hub.out, HF_OUT_TABLE_END, "{}", 2));
  return hf_hub_say(s->hub.out, c, HF_OUT_HINT,
                    "No running jobs. Use `hf jobs ps -a` to list finished (and failed) jobs.");
}

hf_status hf_hub_jobs_stats(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *mode = hf_host()->option(c, "HF_OUTPUT_FORMAT");
  (void)state;
  if (hf_hub_given(args, "follow") && mode && strcmp(mode, "human") != 0)
    return hf_hub_refuse(c,
                         "`--follow` displays a live terminal view and is not supported with '%s' output. Run without "
                         "`--follow` to get a snapshot.",
                         mode);
  struct stats *s = calloc(1, sizeof *s);
  if (!s) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_hub_row_begin(&s->hub, c, args, out);
  if (st == HF_OK) st = run(s, args, mode);
  for (size_t i = 0; i < s->count; i++) json_decref(s->samples[i]);
  free(s);
  return st;
}
