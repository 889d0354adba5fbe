/* provider.c - rules of an inference provider: its rows name requests that can be made. Bodies are read by the reader that
 * fills them in, once with every argument of the task and once with those it must have.
 * Nothing is sent. */
#include <hf/provider.h>

#include "bench.h"
#include "inference/infer.h"

static const struct hf_provider *provider(struct bench *b) {
  return (const struct hf_provider *)(const void *)b->m;
}

static const struct hf_pv_task *row(struct bench *b, uint32_t i) {
  return (const struct hf_pv_task *)provider(b)->tasks.rows + i;
}

static void addresses_are_plain(struct bench *b) {
  const char *base = provider(b)->base_url;
  size_t n = strlen(base);
  EXPECT(inf_is_url(base), "base_url %s is no http or https URL", base);
  EXPECT(base[n - 1] != '/', "base_url %s ends with a slash", base);
  for (uint32_t i = 0; i < provider(b)->tasks.count; i++) {
    const struct hf_pv_task *t = row(b, i);
    EXPECT(t->route[0] == '/' || !t->route[0], "%s: the route %s does not begin with a slash", t->task, t->route);
    EXPECT(!t->versioned_route || t->versioned_route[0] == '/', "%s: versioned_route does not begin with a slash",
           t->task);
    EXPECT(!t->base || inf_is_url(t->base), "%s: base %s is no http or https URL", t->task, t->base);
  }
}

static void a_task_has_one_row(struct bench *b) {
  EXPECT(provider(b)->tasks.count, "there is no task");
  for (uint32_t i = 0; i < provider(b)->tasks.count; i++)
    for (uint32_t k = 0; k < i; k++)
      EXPECT(strcmp(row(b, i)->task, row(b, k)->task) != 0, "%s has two rows", row(b, i)->task);
}

static const char *word(void *arg, const char *name) {
  (void)arg;
  return strcmp(name, "version") != 0 ? "some/model" : NULL;
}

/* Arguments of a task: those it needs, and with `all` every other. */
static json_t *arguments(const char *task, bool all) {
  const struct inf_task *spec = inf_task_find(task);
  json_t *args = json_object();
  const char *p = spec ? spec->needs : "prompt";
  while (p && *p) {
    size_t n = strcspn(p, " ");
    json_object_setn_new(args, p, n, json_string("given"));
    p += n + (p[n] == ' ');
  }
  const struct hf_param *params = spec && all ? spec->params.rows : NULL;
  for (uint32_t i = 0; params && i < spec->params.count; i++)
    json_object_set_new(args, params[i].name, json_integer(7));
  return args;
}

static void bodies_can_be_made(struct bench *b) {
  for (uint32_t i = 0; i < provider(b)->tasks.count; i++)
    for (int all = 0; all < 2; all++) {
      char why[160];
      json_t *args = arguments(row(b, i)->task, all);
      struct inf_body body = {.args = args, .word = word};
      json_t *made = inf_body_make(row(b, i)->body, &body, why);
      EXPECT(json_is_object(made), "%s: the body is no template of an object: %s", row(b, i)->task, why);
      json_decref(made);
      json_decref(args);
    }
}

static void what_comes_out_has_a_place(struct bench *b) {
  for (uint32_t i = 0; i < provider(b)->tasks.count; i++) {
    const struct hf_pv_task *t = row(b, i);
    bool placed =
        t->out == HF_PV_OUT_B64 || t->out == HF_PV_OUT_URL || t->out == HF_PV_OUT_TEXT || t->out == HF_PV_OUT_EACH;
    EXPECT(!placed || t->out_path || t->parse, "%s: out_path does not say where the result is", t->task);
    EXPECT(t->out != HF_PV_OUT_EACH || t->parse || strchr(t->out_path, '.'),
           "%s: out_path %s names no member of a list", t->task, t->out_path);
  }
}

static const struct rule rows[] = {
    {"provider/addresses-are-plain", addresses_are_plain, 0, 0, NULL},
    {"provider/a-task-has-one-row", a_task_has_one_row, 0, 0, NULL},
    {"provider/bodies-can-be-made", bodies_can_be_made, 0, 0, NULL},
    {"provider/what-comes-out-has-a-place", what_comes_out_has_a_place, 0, 0, NULL},
};
const struct rules provider_rules = {rows, COUNT(rows)};
