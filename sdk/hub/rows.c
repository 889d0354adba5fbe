/* rows.c - runs the rows of rows.h: asks the row's question, makes its request, shows what the row says of the answer.
 * Everything that differs between commands is in their tables; a run function of a command uses the same pieces.
 * Answers are bounded by rest.c; members that are not what they should be are absent. */
#include "rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *hf_hub_arg(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

bool hf_hub_given(const hf_args *args, const char *name) {
  int64_t on;
  return hf_host()->arg_int(args, name, &on) && on;
}

hf_status hf_hub_limit(hf_call *c, const hf_args *args, int64_t *limit) {
  int64_t n;
  if (!hf_host()->arg_int(args, "limit", &n)) return HF_OK;
  *limit = n;
  return n >= 0 ? HF_OK
                : hf_hub_fail(c, HF_EINVAL, "ValueError",
                              "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
}

/* The modules made by HF_HUB_ROWS: a runtime knows their rows as tasks only. */
static const struct hf_tasks *const packs[] = {
    &hf_hub_tasks_card,        &hf_hub_tasks_jobs,      &hf_hub_tasks_collections, &hf_hub_tasks_discussions,
    &hf_hub_tasks_leaderboard, &hf_hub_tasks_papers,    &hf_hub_tasks_spaces,      &hf_hub_tasks_webhooks,
    &hf_hub_tasks_spaces_live, &hf_hub_tasks_endpoints, &hf_hub_tasks_buckets,     &hf_hub_tasks_dataset_viewer};

const struct hf_hub_row *hf_hub_row_of(hf_call *c, const char *task) {
  (void)c;
  for (size_t i = 0; i < HF_COUNT(packs); i++) {
    const struct hf_hub_row *rows = packs[i]->tasks.rows;
    for (uint32_t k = 0; k < packs[i]->tasks.count; k++)
      if (!strcmp(rows[k].task.name, task)) return &rows[k];
  }
  return NULL;
}

HF_PRINTF(1, 0) static char *words(const char *fmt, va_list ap) {
  char *text = NULL;
  return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

static hf_status fail_words(hf_call *c, const char *cls, const char *before, char *text) {
  hf_status st = hf_hub_fail(c, HF_EINVAL, cls, "%s%s", before, text ? text : "Out of memory.");
  free(text);
  return st;
}

hf_status hf_hub_refuse(hf_call *c, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *text = words(fmt, ap);
  va_end(ap);
  return fail_words(c, "CLIError", "", text);
}

hf_status hf_hub_bad_value(hf_call *c, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *text = words(fmt, ap);
  va_end(ap);
  return fail_words(c, "UsageError", "Invalid value: ", text);
}

const char *hf_hub_at(struct hf_hub *hub, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  char *text = words(fmt, ap);
  va_end(ap);
  const char *url = text ? hf_hub_text(hub->call, "%s/api/%s", hub->endpoint, text) : NULL;
  free(text);
  return url;
}

hf_status hf_hub_row_begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out) {
  return hf_hub_begin(hub, c, out, hf_hub_arg(args, "token"), NULL, false);
}

void hf_hub_experimental(struct hf_hub *hub, const char *method) {
  if (hf_hub_flag(hub->call, "HF_HUB_DISABLE_EXPERIMENTAL_WARNING")) return;
  hf_hub_log(hub, HF_LOG_WARNING,
             "UserWarning: 'HfApi.%s' is experimental and might be subject to breaking changes in the future without "
             "prior notice. You can disable this warning by setting `HF_HUB_DISABLE_EXPERIMENTAL_WARNING=1` as "
             "environment variable.",
             method);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------ */

static hf_status parsed(struct hf_hub *hub, const struct hf_http_resp *resp, const char *url, json_t **json) {
  *json = NULL;
  return resp->body_len ? hf_hub_parse(hub->call, resp->body, resp->body_len, url, json) : HF_OK;
}

hf_status hf_hub_ask(struct hf_hub *hub, const char *method, const char *url, json_t *body, json_t **json) {
  struct hf_http_resp resp;
  *json = NULL;
  if (!url) return json_decref(body), HF_ENOMEM;
  TRY(hf_hub_send_json(hub, method, url, body, 0, &resp));
  return parsed(hub, &resp, url, json);
}

hf_status hf_hub_row_ask(struct hf_hub *hub, const struct hf_hub_row *row, uint32_t route, const hf_args *args,
                         json_t **json) {
  struct hf_task one = row->task;
  struct hf_http_resp resp;
  *json = NULL;
  one.routes += route;
  one.route_count = 1;
  TRY(hf_hub_row_send(hub, &one, args, &resp));
  return parsed(hub, &resp, one.routes->path, json);
}

/* "a/b" of an object; borrowed. */
static json_t *member(const json_t *v, const char *path) {
  char key[64];
  while (v && *path) {
    size_t n = strcspn(path, "/");
    if (n >= sizeof key) return NULL;
    memcpy(key, path, n);
    key[n] = 0;
    v = json_object_get(v, key);
    path += n + (path[n] == '/');
  }
  return (json_t *)(uintptr_t)v;
}

/* ---- showing ----------------------------------------------------------------------------------------------------------- */

const char *hf_hub_filled(hf_call *c, const char *text, const hf_args *args) {
  const char *out = "";
  while (out && *text) {
    size_t n = strcspn(text, "{"), stop = n + strcspn(text + n, "}");
    out = hf_hub_text(c, "%s%.*s", out, (int)n, text);
    if (!out || !text[n]) break;
    const char *name = hf_host()->intern(c, text + n + 1, stop - n - 1),
               *value = name ? hf_host()->arg_str(args, name, 0) : NULL;
    out = hf_hub_text(c, "%s%s", out, value ? value : "");
    text += stop + (text[stop] == '}');
  }
  return out;
}

static const struct hf_param *param_named(const struct hf_task *t, const char *name) {
  for (uint32_t i = 0; i < t->params.count; i++) {
    const struct hf_param *p =
        (const struct hf_param *)(const void *)((const char *)t->params.rows + (size_t)i * t->params.stride);
    if (!strcmp(p->name, name)) return p;
  }
  return NULL;
}

json_t *hf_hub_arg_value(const struct hf_task *t, const hf_args *args, const char *name) {
  const struct hf_param *p = param_named(t, name);
  const char *text = hf_hub_arg(args, name);
  int64_t number;
  if (p && p->type == HF_P_BOOL)
    return hf_host()->arg_int(args, name, &number) ? json_boolean(number != 0) : json_false();
  if (p && p->type == HF_P_INT) return hf_host()->arg_int(args, name, &number) ? json_integer(number) : NULL;
  if (p && p->type == HF_P_FLOAT && text) return json_real(strtod(text, NULL));
  return text ? json_string(text) : NULL;
}

hf_status hf_hub_shown_hints(hf_call *c, hf_out *out, const struct hf_hub_row *row, const hf_args *args) {
  for (size_t i = 0; i < HF_COUNT(row->hints) && row->hints[i]; i++) {
    const char *text = hf_hub_filled(c, row->hints[i], args);
    if (!text) return HF_ENOMEM;
    TRY(hf_hub_say(out, c, HF_OUT_HINT, text));
  }
  return HF_OK;
}

hf_status hf_hub_shown_result(hf_call *c, hf_out *out, const struct hf_hub_row *row, const hf_args *args,
                              const json_t *answer) {
  const char *done = hf_hub_filled(c, row->task.done, args);
  json_t *result = json_object();
  hf_status st = done && result ? HF_OK : HF_ENOMEM;
  for (const char *p = row->task.result; st == HF_OK && p && *(p += strspn(p, " "));) {
    size_t n = strcspn(p, " "), eq = strcspn(p, "= ");
    const char *key = hf_host()->intern(c, p, eq < n ? eq : n);
    const char *from = eq < n ? hf_host()->intern(c, p + eq + 1, n - eq - 1) : key;
    if (!key || !from) {
      st = HF_ENOMEM;
      break;
    }
    json_t *value = *from == '@' ? json_incref(member(answer, from + 1)) : hf_hub_arg_value(&row->task, args, from);
    if (json_object_set_new(result, key, value ? value : json_null())) st = HF_ENOMEM;
    p += n;
  }
  if (st == HF_OK) st = hf_hub_say(out, c, HF_OUT_MESSAGE, done);
  if (st != HF_OK) return json_decref(result), st;
  TRY(hf_hub_record(out, c, HF_OUT_RESULT, result));
  return hf_hub_shown_hints(c, out, row, args);
}

static hf_status shaped(hf_call *c, const struct hf_hub_row *row, const json_t *raw, json_t **made) {
  if (row->fields) return hf_hub_shape_fields(c, row->fields, row->field_count, raw, made);
  *made = hf_hub_without_null(raw);
  return *made ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_shown_item(hf_call *c, hf_out *out, const struct hf_hub_row *row, const json_t *raw) {
  json_t *made;
  TRY(shaped(c, row, raw, &made));
  return hf_hub_record(out, c, HF_OUT_ITEM, made);
}

hf_status hf_hub_shown_dict(hf_call *c, hf_out *out, const struct hf_hub_row *row, const json_t *raw) {
  json_t *made;
  TRY(shaped(c, row, raw, &made));
  return hf_hub_record(out, c, HF_OUT_DICT, made);
}

static hf_status layout(hf_out *out, const struct hf_hub_row *row) {
  return row->layout ? hf_host()->record(out, HF_OUT_LAYOUT, row->layout, strlen(row->layout)) : HF_OK;
}

hf_status hf_hub_shown_items(hf_call *c, hf_out *out, const struct hf_hub_row *row, const json_t *list, int64_t limit) {
  size_t i;
  json_t *item;
  TRY(layout(out, row));
  json_array_foreach((json_t *)(uintptr_t)list, i, item) {
    if (limit >= 0 && (int64_t)i >= limit) break;
    TRY(hf_hub_shown_item(c, out, row, item));
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

struct pages {
  hf_call *call;
  hf_out *out;
  const struct hf_hub_row *row;
  int64_t left, at; /* left negative: no limit */
};

static hf_status page_item(void *arg, json_t *item) {
  struct pages *p = arg;
  if (p->row->flags & HF_ROW_COUNTED) json_object_set_new(item, "position", json_integer(p->at++));
  TRY(hf_hub_shown_item(p->call, p->out, p->row, item));
  return p->left > 0 && !--p->left ? HF_PENDING : HF_OK; /* no page is asked for in vain */
}

static hf_status run_pages(struct hf_hub *hub, const struct hf_hub_row *row, const hf_args *args) {
  struct pages p = {.call = hub->call, .out = hub->out, .row = row, .left = -1};
  const char *url = hf_hub_url(hub, &row->task.routes[0], args);
  if (!url) return hf_host()->error(hub->call) ? hf_host()->error(hub->call)->code : HF_ENOMEM;
  if (param_named(&row->task, "limit")) TRY(hf_hub_limit(hub->call, args, &p.left));
  TRY(layout(hub->out, row));
  if (p.left) TRY(hf_hub_pages(hub, url, page_item, &p));
  TRY(hf_host()->record(hub->out, HF_OUT_TABLE_END, "{}", 2));
  return hf_hub_shown_hints(hub->call, hub->out, row, args);
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

/* What a failure means here: *done true: nothing. */
static hf_status judged(hf_call *c, const struct hf_hub_row *row, const hf_args *args, hf_status st) {
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  if (!e) return st;
  if (row->forgiving && e->http_status == row->forgiven && hf_hub_given(args, row->forgiving)) {
    hf_host()->clear(c);
    return HF_OK;
  }
  if (!row->absent || e->http_status != 404) return st;
  const char *text = hf_hub_filled(c, row->absent, args);
  hf_host()->clear(c);
  return text ? hf_hub_refuse(c, "%s", text) : HF_ENOMEM;
}

static hf_status show(struct hf_hub *hub, const struct hf_hub_row *row, const hf_args *args, const json_t *answer) {
  hf_call *c = hub->call;
  int64_t limit = -1;
  if (row->member) answer = member(answer, row->member);
  if (row->task.done) return hf_hub_shown_result(c, hub->out, row, args, answer);
  if (row->flags & HF_ROW_LIST) {
    if (!json_is_array(answer))
      return hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s is no list; check HF_ENDPOINT.", row->task.routes->path);
    if (!(row->flags & HF_ROW_ALL) && param_named(&row->task, "limit")) hf_host()->arg_int(args, "limit", &limit);
    TRY(hf_hub_shown_items(c, hub->out, row, answer, limit));
  } else {
    TRY(hf_hub_shown_dict(c, hub->out, row, answer));
  }
  return hf_hub_shown_hints(c, hub->out, row, args);
}

hf_status hf_hub_run_shown(hf_call *c, void *state, const struct hf_task *task, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, task->name);
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  if (!row || !task->route_count)
    return hf_hub_fail(c, HF_ENOSYS, NULL, "The task %s has neither a function nor a route; its pack is broken.",
                       task->name);
  if (task->confirm) TRY(hf_hub_confirm(c, out, args, task->confirm));
  TRY(hf_hub_begin(&hub, c, out, row->flags & HF_ROW_NO_TOKEN ? "" : hf_hub_arg(args, "token"), NULL, false));
  if (task->routes[0].paging == HF_PAGE_LINK) return run_pages(&hub, row, args);
  hf_status st = judged(c, row, args, hf_hub_row_ask(&hub, row, 0, args, &answer));
  if (st == HF_OK) st = show(&hub, row, args, answer);
  json_decref(answer);
  return st;
}
