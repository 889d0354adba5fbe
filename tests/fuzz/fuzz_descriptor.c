/* fuzz_descriptor.c - what a plugin says in memory after it was opened: descriptor, modules, tables in tables, functions.
 * Input: a byte for each decision, mostly the right one. Everything lies in memory of exactly the size that it claims to have.
 * What is refused has a reason; what is taken has our sizes and strides, legal names, and a function in every place. */
#include <hf/provider.h>
#include <hf/storage.h>
#include <hf/task.h>
#include <hf/transfer.h>
#include <stddef.h>

#include "fuzz.h"
#include "registry.h"

static const uint8_t *in;
static size_t left;
static struct hf_arena *arena;
static char *words[8];

static uint8_t byte(void) {
  return left ? left--, *in++ : 255;
}

static uint32_t number(uint32_t good) {
  static const uint32_t odd[] = {0, 1, 2, 8, 255, 4096, 4097, 0x80000000u, UINT32_MAX};
  uint8_t b = byte();
  if (b >= 64) return good;
  if (b < 2 * HF_COUNT(odd)) return odd[b / 2];
  return b < 40 ? good + b - 28 : good + 8 * (b - 40);
}

static const char *word(const char *good) {
  static const char *const odd[] = {NULL, "", "UPPER", "-a", "a.b", "a b", "..", "\xff\xfe"};
  uint8_t b = byte();
  if (b >= 64) return good;
  return b < HF_COUNT(odd) ? odd[b] : words[b % HF_COUNT(words)];
}

/* Memory that ends where it says: reads behind it are seen. Freed with all others at the end. */
static void *blocks[4096];
static uint32_t block_count;

static void *exact(size_t size, const void *from, size_t len) {
  FUZZ_CHECK(block_count < HF_COUNT(blocks));
  uint8_t *p = malloc(size ? size : 1);
  FUZZ_CHECK(p);
  memset(p, 0, size);
  if (size) memcpy(p, from, len < size ? len : size);
  return blocks[block_count++] = p;
}

static hf_status load(const struct hf_host *h, void **state) {
  (void)h;
  *state = NULL;
  return HF_OK;
}

/* A table of `most` rows or fewer; a count or stride that no reader may believe has one row behind it. */
static struct hf_table table(size_t row, uint32_t most, void (*fill)(void *)) {
  union {
    long double align;
    uint8_t bytes[HF_ROW_MAX];
  } one;
  struct hf_table t = {NULL, number(byte() % (most + 1)), number((uint32_t)row)};
  if (byte() < 8) return t;
  bool absurd = t.count > 64 || t.stride > HF_ROW_MAX;
  uint32_t n = absurd ? 1 : t.count, wide = absurd ? (uint32_t)row : t.stride;
  if (absurd && t.count <= 1024 && t.stride <= HF_ROW_MAX) t.count = UINT32_MAX;
  uint32_t off = byte() == 0 ? 4 : 0; /* not aligned */
  uint8_t *rows = (uint8_t *)exact((size_t)n * wide + off, "", 0) + off;
  for (uint32_t i = 0; i < n; i++) {
    memset(&one, 0, sizeof one);
    fill(&one);
    memcpy(rows + (size_t)i * wide, &one, wide < row ? wide : row);
    if (wide > row) memset(rows + (size_t)i * wide + row, 0xee, wide - row);
  }
  t.rows = rows;
  return t;
}

static void fill_param(void *row) {
  struct hf_param *p = row;
  *p = (struct hf_param){.name = word("name"), .help = word("help"), .type = number(HF_P_STR), .flags = number(0)};
  if (byte() & 1) p->name = word("other");
}

static void fill_column(void *row) {
  *(struct hf_column *)row = (struct hf_column){word("Title"), word("pointer")};
}

static void fill_header(void *row) {
  *(struct hf_kv *)row = (struct hf_kv){word("name"), word("value")};
}

static hf_status run(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)c, (void)state, (void)args, (void)out;
  return HF_OK;
}

static void fill_task(void *row) {
  struct hf_route routes[64];
  struct hf_task *t = row;
  for (size_t i = 0; i < HF_COUNT(routes); i++)
    routes[i] = (struct hf_route){.method = i < 2 ? word("GET") : "GET", .path = i < 2 ? word("/api/x") : "/"};
  *t = (struct hf_task){.name = word("a.b"), .summary = word("summary"), .route_count = number(1)};
  if (byte() >= 8) t->routes = exact(sizeof routes, routes, sizeof routes);
  if (byte() & 1) t->run = run;
  if (byte() & 1) t->name = word("c.d");
  t->params = table(sizeof(struct hf_param), 3, fill_param);
  t->columns = table(sizeof(struct hf_column), 3, fill_column);
}

static void fill_cell(void *row) {
  struct hf_pv_poll poll = {.url = word("u"), .status = word("s"), .done = word("d"), .interval_ms = number(1)};
  struct hf_pv_task *t = row;
  *t = (struct hf_pv_task){.task = word("x"), .route = word("/v1"), .body = word("{}"), .form = number(0)};
  t->media = number(0), t->stream = number(0), t->out = number(0);
  if (byte() < 64) t->poll = exact(sizeof poll, &poll, sizeof poll);
}

typedef void (*any_fn)(void);
static void anything(void) {
}

static void fill_functions(void *vtable, size_t size) {
  any_fn fn = anything;
  for (size_t at = sizeof(struct hf_module); at + sizeof fn <= size; at += sizeof fn)
    if (byte() >= 32) memcpy((uint8_t *)vtable + at, &fn, sizeof fn);
}

static const struct hf_module *module(void) {
  static const size_t sizes[] = {sizeof(struct hf_transfer), sizeof(struct hf_storage), sizeof(struct hf_provider),
                                 sizeof(struct hf_tasks)};
  union {
    struct hf_module m;
    struct hf_transfer transfer;
    struct hf_storage storage;
    struct hf_provider provider;
    struct hf_tasks tasks;
  } u;
  memset(&u, 0, sizeof u);
  uint32_t kind = byte() % 4u;
  u.m = (struct hf_module){
      .kind = number(kind + HF_KIND_TRANSFER), .name = word("name"), .summary = word("what it does")};
  u.m.threads = number(HF_THREADS_ANY), u.m.caps = byte() | (uint64_t)byte() << 8;
  u.m.struct_size = number((uint32_t)sizes[kind]);
  u.m.config = table(sizeof(struct hf_param), 3, fill_param);
  if (kind < 2) fill_functions(&u, sizes[kind]);
  if (kind == 2) {
    u.provider.base_url = word("https://x");
    u.provider.headers = table(sizeof(struct hf_kv), 3, fill_header);
    u.provider.tasks = table(sizeof(struct hf_pv_task), 3, fill_cell);
  }
  if (kind == 3) u.tasks.tasks = table(sizeof(struct hf_task), 3, fill_task);
  /* The head is there whatever struct_size says; one that claims another kind has no more than it claims. */
  size_t size = u.m.struct_size < sizeof(struct hf_module) ? sizeof(struct hf_module) : u.m.struct_size;
  if (size > HF_ROW_MAX) size = sizes[kind];
  if (u.m.kind != kind + HF_KIND_TRANSFER && u.m.kind <= HF_KIND_TASKS) return NULL; /* tables would be no tables */
  return exact(size, &u, sizeof u);
}

static void check_table(const struct hf_table *t, size_t row, uint32_t most) {
  FUZZ_CHECK(t->count <= most && (!t->count || (t->rows && t->stride == row)));
}

static void check_taken(const struct hf_module *m) {
  check_table(&m->config, sizeof(struct hf_param), 256);
  if (m->kind == HF_KIND_TRANSFER) FUZZ_CHECK(m->struct_size == sizeof(struct hf_transfer));
  if (m->kind == HF_KIND_STORAGE || m->kind == HF_KIND_TRANSFER)
    for (size_t at = sizeof *m; at + sizeof(any_fn) <= m->struct_size; at += sizeof(any_fn)) {
      any_fn fn;
      bool plain = m->kind == HF_KIND_STORAGE && at >= offsetof(struct hf_storage, part_min) &&
                   at < offsetof(struct hf_storage, scan); /* two numbers */
      memcpy(&fn, (const uint8_t *)m + at, sizeof fn);
      FUZZ_CHECK(fn || plain);
    }
  if (m->kind == HF_KIND_PROVIDER) {
    const struct hf_provider *p = (const struct hf_provider *)m;
    FUZZ_CHECK(p->base_url);
    check_table(&p->headers, sizeof(struct hf_kv), 64);
    check_table(&p->tasks, sizeof(struct hf_pv_task), 128);
  }
  if (m->kind == HF_KIND_TASKS) {
    const struct hf_tasks *p = (const struct hf_tasks *)m;
    const struct hf_task *rows = p->tasks.rows;
    char why[HF_WHY_MAX];
    check_table(&p->tasks, sizeof(struct hf_task), 1024);
    for (uint32_t i = 0; i < p->tasks.count; i++) {
      check_table(&rows[i].params, sizeof(struct hf_param), 256);
      check_table(&rows[i].columns, sizeof(struct hf_column), 64);
      FUZZ_CHECK(rows[i].name && rows[i].summary && (rows[i].run || rows[i].routes));
    }
    (void)hf_tasks_unique(p, why);
  }
}

static void take(const struct hf_plugin *p) {
  char why[HF_WHY_MAX] = "";
  if (!hf_load_check(p, NULL, why)) {
    FUZZ_CHECK(why[0] && memchr(why, 0, sizeof why));
    return;
  }
  for (uint32_t i = 0; i < p->module_count; i++) {
    FUZZ_CHECK(hf_name_legal(p->modules[i]->name));
    const struct hf_module *m = hf_normalise(arena, p->modules[i], why);
    if (m)
      check_taken(m);
    else
      FUZZ_CHECK(why[0] && memchr(why, 0, sizeof why));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct hf_module *modules[HF_MODULES_MAX] = {NULL};
  hf_call *c = fuzz_call();
  in = data, left = size, arena = c->arena, block_count = 0;
  for (size_t i = 0; i < HF_COUNT(words); i++) words[i] = fuzz_text(data + size - size / (i + 1), size / (i + 1));
  uint32_t n = byte() % 4u;
  for (uint32_t i = 0; i < n; i++) modules[i] = module();
  struct hf_plugin p = {.magic = number(HF_ABI_MAGIC),
                        .abi_major = (uint16_t)number(HF_ABI_MAJOR),
                        .abi_minor = (uint16_t)number(HF_ABI_MINOR),
                        .abi_print = number(HF_ABI_PRINT),
                        .struct_size = number(sizeof p),
                        .name = word("fuzz"),
                        .version = word("1.0"),
                        .license = word("MIT"),
                        .summary = word("made up"),
                        .min_host_minor = number(0),
                        .module_count = number(n),
                        .load = byte() < 8 ? NULL : load};
  if (p.module_count > n && p.module_count <= HF_MODULES_MAX) p.module_count = HF_MODULES_MAX; /* empty ones behind */
  if (byte() >= 8) p.modules = modules;
  take(&p);
  while (block_count) free(blocks[--block_count]);
  for (size_t i = 0; i < HF_COUNT(words); i++) free(words[i]);
  hf_call_end(c);
  return 0;
}
