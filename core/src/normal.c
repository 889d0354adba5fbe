/* normal.c - turns what a plugin brought into structs of ours, once: members both sides know are copied, missing
 * functions get a callable stand-in, tables are laid out in rows of ours and checked. After that nobody tests for NULL
 * or sizes again. A module that lacks what its kind or its capability bits demand is refused. */
#include "registry.h"

#include <hf/provider.h>
#include <stddef.h>

typedef void (*any_fn)(void);

/* ---- stand-ins for functions that a module does not have ---- */

static hf_status no_such(hf_call *c, const char *fn) {
  const struct hf_module *m = c ? c->module : NULL;
  if (!c) return HF_ENOSYS;
  return hf_call_failf(c, HF_ENOSYS, "the %s %s has no %s()", m ? hf_kind_word(m->kind) : "module", m ? m->name : "",
                       fn);
}

#define STAND_IN(fn, ...)                 \
  static hf_status no_##fn(__VA_ARGS__) { \
    return no_such(c, #fn);               \
  }
#define UNUSED(x) x __attribute__((unused))
STAND_IN(adopt, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_ingest *i), UNUSED(hf_slot *o))
STAND_IN(ingest, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_ingest *i), UNUSED(struct hf_sink **o))
STAND_IN(publish, hf_call *c, UNUSED(void *s), UNUSED(void *const *seals), UNUSED(uint32_t n), UNUSED(hf_slot *o))
STAND_IN(open_file, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_name *n), UNUSED(struct hf_source **o))
STAND_IN(absent, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_name *n))
STAND_IN(remove, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_name *n))
STAND_IN(blob_stat, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_key *k), UNUSED(hf_slot *o))
STAND_IN(blob_open, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_key *k), UNUSED(struct hf_source **o))
STAND_IN(blob_remove, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_key *k))
STAND_IN(blob_each, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(hf_slot *o))
STAND_IN(ref_get, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(const char *n),
         UNUSED(hf_slot *o))
STAND_IN(ref_put, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(const char *n),
         UNUSED(const char *expect), UNUSED(const char *commit))
STAND_IN(ref_each, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(hf_slot *o))
STAND_IN(tree_get, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(const char *n),
         UNUSED(hf_slot *o))
STAND_IN(tree_put, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(const char *n),
         UNUSED(struct hf_table t))
STAND_IN(lease_take, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_key *k), UNUSED(uint32_t ttl),
         UNUSED(void **o))
STAND_IN(lease_beat, hf_call *c, UNUSED(void *s), UNUSED(void *lease))
STAND_IN(space, hf_call *c, UNUSED(void *s), UNUSED(hf_slot *o))
STAND_IN(folder, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(const char *n),
         UNUSED(hf_slot *o))
STAND_IN(repo_each, hf_call *c, UNUSED(void *s), UNUSED(hf_slot *o))
STAND_IN(scan, hf_call *c, UNUSED(void *s), UNUSED(const struct hf_repo *r), UNUSED(uint32_t flags), UNUSED(hf_slot *o))
STAND_IN(expunge, hf_call *c, UNUSED(void *s), UNUSED(struct hf_table t))

static void nothing2(UNUSED(void *s), UNUSED(void *x)) {
}
static hf_status finished(UNUSED(hf_call *c), UNUSED(void *s)) {
  return HF_OK;
}

/* ---- what each kind consists of ---- */

enum { ALWAYS = 1, WRITES = 2 }; /* demanded in every case; only of a store that is not read-only */
struct function {
  const char *name;
  size_t at;
  uint32_t demand; /* ALWAYS, WRITES */
  uint64_t caps;   /* also demanded where one of these bits is set */
  any_fn stand_in; /* NULL: always demanded */
};
#define FN(type, fn, demand, caps, stand_in) \
  { #fn, offsetof(struct type, fn), demand, caps, (any_fn)(stand_in) }

static const struct function transfer_fns[] = {
    FN(hf_transfer, score, ALWAYS, 0, NULL), FN(hf_transfer, open, ALWAYS, 0, NULL),
    FN(hf_transfer, run, ALWAYS, 0, NULL),   FN(hf_transfer, finish, 0, 0, finished),
    FN(hf_transfer, close, ALWAYS, 0, NULL),
};
static const struct function storage_fns[] = {
    FN(hf_storage, open, ALWAYS, 0, NULL),
    FN(hf_storage, close, ALWAYS, 0, NULL),
    FN(hf_storage, find, ALWAYS, 0, NULL),
    FN(hf_storage, adopt, 0, 0, no_adopt),
    FN(hf_storage, ingest, ALWAYS | WRITES, 0, no_ingest),
    FN(hf_storage, publish, ALWAYS | WRITES, 0, no_publish),
    FN(hf_storage, discard, ALWAYS | WRITES, 0, nothing2),
    FN(hf_storage, open_file, ALWAYS, 0, no_open_file),
    FN(hf_storage, absent, WRITES, HF_ST_ABSENT, no_absent),
    FN(hf_storage, remove, 0, 0, no_remove),
    FN(hf_storage, blob_stat, 0, HF_ST_BLOBS, no_blob_stat),
    FN(hf_storage, blob_open, 0, HF_ST_BLOBS, no_blob_open),
    FN(hf_storage, blob_remove, 0, 0, no_blob_remove),
    FN(hf_storage, blob_each, 0, 0, no_blob_each),
    FN(hf_storage, ref_get, 0, HF_ST_REFS | HF_ST_REF_CAS, no_ref_get),
    FN(hf_storage, ref_put, WRITES, HF_ST_REFS | HF_ST_REF_CAS, no_ref_put),
    FN(hf_storage, ref_each, 0, 0, no_ref_each),
    FN(hf_storage, tree_get, 0, HF_ST_TREES, no_tree_get),
    FN(hf_storage, tree_put, WRITES, HF_ST_TREES, no_tree_put),
    FN(hf_storage, lease_take, 0, HF_ST_LEASES | HF_ST_FENCED, no_lease_take),
    FN(hf_storage, lease_beat, 0, HF_ST_LEASES | HF_ST_FENCED, no_lease_beat),
    FN(hf_storage, lease_drop, 0, HF_ST_LEASES | HF_ST_FENCED, nothing2),
    FN(hf_storage, space, 0, 0, no_space),
    FN(hf_storage, folder, 0, 0, no_folder),
    FN(hf_storage, repo_each, 0, HF_ST_LIST, no_repo_each),
    FN(hf_storage, scan, 0, 0, no_scan),
    FN(hf_storage, expunge, 0, 0, no_expunge),
};

/* A table inside a vtable or row: what its rows must have. */
struct list {
  const char *what;
  size_t at;           /* of the struct hf_table */
  size_t row, row_min; /* our row; what the first version had */
  uint32_t rows_max;
  bool (*check)(const void *row, char why[HF_WHY_MAX]);
  const struct list *inner; /* tables inside each row */
  uint32_t inner_count;
};

static bool row_param(const void *row, char why[HF_WHY_MAX]) {
  const struct hf_param *p = row;
  size_t n = p->name ? strspn(p->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;
  if (!n || n > 64 || p->name[n]) return hf_refuse(why, "has a parameter with an illegal name");
  if (p->type < HF_P_STR || p->type > HF_P_JSON)
    return hf_refuse(why, "has a parameter %s of unknown type %u", p->name, p->type);
  return true;
}

static bool row_column(const void *row, char why[HF_WHY_MAX]) {
  const struct hf_column *c = row;
  return c->title ? true : hf_refuse(why, "has a column without a title");
}

static bool task_name(const char *s) {
  size_t n = 0;
  for (; s[n]; n++) {
    bool word = (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9');
    bool joint = n && s[n - 1] != '.' && (s[n] == '-' || s[n] == '_' || (s[n] == '.' && s[n + 1]));
    if (n > 95 || !(word || joint)) return false;
  }
  return n > 0;
}

static bool row_task(const void *row, char why[HF_WHY_MAX]) {
  const struct hf_task *t = row;
  if (!t->name || !task_name(t->name)) return hf_refuse(why, "has a task with an illegal name");
  if (!t->summary) return hf_refuse(why, "has a task %s without a summary", t->name);
  if (t->route_count > 64 || (t->route_count && !t->routes))
    return hf_refuse(why, "has a task %s with absurd routes", t->name);
  if (!t->run && !t->route_count) return hf_refuse(why, "has a task %s that does nothing: no run, no route", t->name);
  for (uint32_t i = 0; i < t->route_count; i++)
    if (!t->routes[i].method || !t->routes[i].path) return hf_refuse(why, "has a task %s with an empty route", t->name);
  return true;
}

static bool row_header(const void *row, char why[HF_WHY_MAX]) {
  const struct hf_kv *kv = row;
  return kv->key && kv->value ? true : hf_refuse(why, "has an empty header row");
}

static bool row_cell(const void *row, char why[HF_WHY_MAX]) {
  const struct hf_pv_task *t = row;
  if (!t->task || !t->task[0]) return hf_refuse(why, "has a task row without a task");
  if (!t->route || !t->body) return hf_refuse(why, "has a task row %s without a route or a body", t->task);
  if (t->form > HF_PV_MULTIPART || t->media > HF_PV_MEDIA_BASE64 || t->stream > HF_PV_STREAM_TGI ||
      t->out > HF_PV_OUT_EACH)
    return hf_refuse(why, "has a task row %s that wants something of a later version", t->task);
  const struct hf_pv_poll *p = t->poll;
  if (p && (!p->url || !p->status || !p->done || !p->interval_ms))
    return hf_refuse(why, "has a task row %s that waits without url, status, done or interval", t->task);
  return true;
}

static const struct list task_lists[] = {
    {"parameters", offsetof(struct hf_task, params), sizeof(struct hf_param), offsetof(struct hf_param, since), 256,
     row_param, NULL, 0},
    {"columns", offsetof(struct hf_task, columns), sizeof(struct hf_column), sizeof(struct hf_column), 64, row_column,
     NULL, 0},
};
static const struct list config_list = {"configuration keys",
                                        offsetof(struct hf_module, config),
                                        sizeof(struct hf_param),
                                        offsetof(struct hf_param, since),
                                        256,
                                        row_param,
                                        NULL,
                                        0};
static const struct list tasks_lists[] = {
    {"tasks", offsetof(struct hf_tasks, tasks), sizeof(struct hf_task), offsetof(struct hf_task, since), 1024, row_task,
     task_lists, HF_COUNT(task_lists)},
};
static const struct list provider_lists[] = {
    {"headers", offsetof(struct hf_provider, headers), sizeof(struct hf_kv), sizeof(struct hf_kv), 64, row_header, NULL,
     0},
    {"tasks", offsetof(struct hf_provider, tasks), sizeof(struct hf_pv_task), sizeof(struct hf_pv_task), 128, row_cell,
     NULL, 0},
};

static const struct kind {
  uint32_t kind;
  size_t size, min; /* our vtable; what ABI 1.0 had */
  const struct function *fns;
  uint32_t fn_count;
  const struct list *lists;
  uint32_t list_count;
} kinds[] = {
    {HF_KIND_TRANSFER, sizeof(struct hf_transfer), sizeof(struct hf_transfer), transfer_fns, HF_COUNT(transfer_fns),
     NULL, 0},
    {HF_KIND_STORAGE, sizeof(struct hf_storage), offsetof(struct hf_storage, scan), storage_fns, HF_COUNT(storage_fns),
     NULL, 0},
    {HF_KIND_PROVIDER, sizeof(struct hf_provider), offsetof(struct hf_provider, flags), NULL, 0, provider_lists,
     HF_COUNT(provider_lists)},
    {HF_KIND_TASKS, sizeof(struct hf_tasks), offsetof(struct hf_tasks, run_row), NULL, 0, tasks_lists,
     HF_COUNT(tasks_lists)},
};

static const struct kind *kind_of(uint32_t kind) {
  for (size_t i = 0; i < HF_COUNT(kinds); i++)
    if (kinds[i].kind == kind) return &kinds[i];
  return NULL;
}

/* ---- tables ---- */

static bool fits(const struct list *l, const struct hf_table *t) {
  return t->stride == l->row && (uintptr_t)t->rows % sizeof(void *) == 0;
}

static bool sane(const struct list *l, const struct hf_table *t) {
  return t->rows && t->count <= l->rows_max && t->stride >= l->row_min && t->stride <= HF_ROW_MAX;
}

/* Rows of ours: the plugin's own memory where it already looks like that, else (or when asked) a copy. */
static bool take_rows(struct hf_arena *a, const struct list *l, struct hf_table *t, bool copy, char why[HF_WHY_MAX]) {
  if (!t->count) {
    *t = (struct hf_table){0};
    return true;
  }
  if (!sane(l, t))
    return hf_refuse(why, "has an absurd table of %s (%u rows of %u bytes)", l->what, t->count, t->stride);
  if (copy || !fits(l, t)) {
    uint8_t *rows = hf_arena_alloc(a, t->count * l->row);
    if (!rows) return hf_refuse(why, "could not be taken in: out of memory");
    size_t n = t->stride < l->row ? t->stride : l->row;
    for (uint32_t i = 0; i < t->count; i++)
      memcpy(rows + i * l->row, (const uint8_t *)t->rows + (size_t)i * t->stride, n);
    *t = (struct hf_table){rows, t->count, (uint32_t)l->row};
  }
  for (uint32_t i = 0; i < t->count; i++)
    if (!l->check((const uint8_t *)t->rows + i * l->row, why)) return false;
  return true;
}

/* Has a table inside of the rows another shape than ours? Then the rows must be ours, to point to a copy. */
static bool foreign_inner(const struct list *l, const struct hf_table *t) {
  for (uint32_t i = 0; sane(l, t) && i < t->count; i++)
    for (uint32_t k = 0; k < l->inner_count; k++) {
      struct hf_table in;
      memcpy(&in, (const uint8_t *)t->rows + (size_t)i * t->stride + l->inner[k].at, sizeof in);
      if (in.count && !fits(&l->inner[k], &in)) return true;
    }
  return false;
}

static bool take_list(struct hf_arena *a, const struct list *l, void *owner, char why[HF_WHY_MAX]) {
  struct hf_table *t = (struct hf_table *)((uint8_t *)owner + l->at);
  bool copy = foreign_inner(l, t);
  if (!take_rows(a, l, t, copy, why)) return false;
  for (uint32_t i = 0; i < t->count; i++)
    for (uint32_t k = 0; k < l->inner_count; k++) {
      uint8_t *at = (uint8_t *)(uintptr_t)t->rows + i * l->row + l->inner[k].at;
      struct hf_table inner;
      memcpy(&inner, at, sizeof inner);
      if (!take_rows(a, &l->inner[k], &inner, false, why)) return false;
      if (copy) memcpy(at, &inner, sizeof inner);
    }
  return true;
}

bool hf_tasks_unique(const struct hf_tasks *p, char why[HF_WHY_MAX]) {
  const struct hf_task *rows = p->tasks.rows;
  for (uint32_t i = 0; i < p->tasks.count; i++) {
    for (uint32_t j = 0; j < i; j++)
      if (strcmp(rows[i].name, rows[j].name) == 0) return hf_refuse(why, "has two tasks %s", rows[i].name);
    const struct hf_param *q = rows[i].params.rows;
    for (uint32_t j = 1; j < rows[i].params.count; j++)
      for (uint32_t k = 0; k < j; k++)
        if (strcmp(q[j].name, q[k].name) == 0)
          return hf_refuse(why, "has a task %s with two parameters %s", rows[i].name, q[j].name);
  }
  return true;
}

/* ---- functions ---- */

static bool take_functions(const struct kind *k, struct hf_module *m, char why[HF_WHY_MAX]) {
  bool read_only = k->kind == HF_KIND_STORAGE && (m->caps & HF_ST_READ_ONLY);
  for (uint32_t i = 0; i < k->fn_count; i++) {
    const struct function *f = &k->fns[i];
    any_fn fn;
    memcpy(&fn, (uint8_t *)m + f->at, sizeof fn);
    if (fn) continue;
    bool wanted = (f->demand & ALWAYS) || (f->caps & m->caps);
    if ((f->demand & WRITES) && read_only) wanted = false;
    if (wanted || !f->stand_in)
      return hf_refuse(why, "has a %s %s without %s()", hf_kind_word(m->kind), m->name, f->name);
    memcpy((uint8_t *)m + f->at, &f->stand_in, sizeof fn);
  }
  return true;
}

const struct hf_module *hf_normalise(struct hf_arena *a, const struct hf_module *from, char why[HF_WHY_MAX]) {
  const struct kind *k = kind_of(from->kind);
  if (!k || from->struct_size < k->min || from->struct_size > HF_ROW_MAX) {
    hf_refuse(why, "has a module %s with an absurd struct_size %u", from->name, from->struct_size);
    return NULL;
  }
  struct hf_module *m = hf_arena_alloc(a, k->size);
  if (!m) {
    hf_refuse(why, "could not be taken in: out of memory");
    return NULL;
  }
  memcpy(m, from, from->struct_size < k->size ? from->struct_size : k->size);
  m->struct_size = (uint32_t)k->size;
  if (!take_functions(k, m, why) || !take_list(a, &config_list, m, why)) return NULL;
  for (uint32_t i = 0; i < k->list_count; i++)
    if (!take_list(a, &k->lists[i], m, why)) return NULL;
  if (k->kind == HF_KIND_PROVIDER && !((const struct hf_provider *)m)->base_url) {
    hf_refuse(why, "has a provider %s without base_url", m->name);
    return NULL;
  }
  return m;
}
