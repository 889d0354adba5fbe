/* newer.c - a plugin as a later minor version would build it: longer descriptor, longer vtables, longer rows, a larger minor in
 * note and descriptor, results longer than the host knows. An older host takes what it knows and runs it.
 * Built with today's headers; what a later version adds is made up here. */
#include <hf/storage.h>
#include <hf/task.h>

#define MINOR 7

static const struct hf_host *H;

/* Longer than any host of 1.0 would copy; garbage behind the known part must not be taken for anything. */
struct newer_storage {
  struct hf_storage s;
  hf_status (*later)(hf_call *, void *);
  uint64_t more[4];
};
struct newer_param {
  struct hf_param p;
  const char *more;
};
struct newer_task {
  struct hf_task t;
  const void *more[3];
};
struct newer_file {
  struct hf_st_file f;
  uint64_t more[8];
};

static hf_status load(const struct hf_host *h, void **state) {
  H = h;
  *state = NULL;
  return h->struct_size >= sizeof(struct hf_host) ? HF_OK : HF_EABI;
}

static hf_status st_open(hf_call *c, const char *uri, void **store) {
  (void)c, (void)uri;
  *store = &H;
  return HF_OK;
}
static void st_close(void *store) {
  (void)store;
}
static hf_status st_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  (void)c, (void)store;
  struct newer_file f = {.f = {.struct_size = sizeof f, .etag = "newer", .commit = name->commit, .size = 42},
                         .more = {1, 2, 3, 4, 5, 6, 7, 8}};
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}
static hf_status st_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  (void)store, (void)out;
  return H->failf(c, HF_ENOTFOUND, "%s is not there", name->path);
}

static const struct newer_storage storage = {.s = {.m = {.kind = HF_KIND_STORAGE,
                                                         .struct_size = sizeof(struct newer_storage),
                                                         .name = "newer",
                                                         .summary = "from the future",
                                                         .threads = HF_THREADS_ANY,
                                                         .caps = HF_ST_READ_ONLY | UINT64_C(1) << 60},
                                                   .open = st_open,
                                                   .close = st_close,
                                                   .find = st_find,
                                                   .open_file = st_open_file},
                                             .more = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)}};

static hf_status say(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)c, (void)state;
  const char *word = H->arg_str(args, "word", 0);
  return H->record(out, HF_OUT_TEXT, word, SIZE_MAX);
}
static const struct newer_param params[] = {
    {{.name = "other", .help = "First.", .type = HF_P_INT, .deflt = "1"}, "more"},
    {{.name = "word", .help = "Second.", .type = HF_P_JSON, .flags = HF_PF_REQUIRED}, "more"}};
static const struct newer_task tasks[] = {
    {{.name = "newer.first", .summary = "First.", .run = say}, {"a", "b", "c"}},
    {{.name = "newer.say", .summary = "Second.", .params = HF_TABLE(params), .run = say}, {"a", "b", "c"}}};
static const struct hf_tasks pack = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "newer", "from the future", HF_THREADS_ANY, 1, 0),
    .tasks = HF_TABLE(tasks)};

static const struct hf_module *const modules[] = {&storage.s.m, &pack.m};

#undef HF_ABI_MINOR
#define HF_ABI_MINOR MINOR
HF_PLUGIN_NOTE("newer", "7.0", {HF_KIND_STORAGE, 0, HF_ST_READ_ONLY | UINT64_C(1) << 60, "newer", ""},
               {HF_KIND_TASKS, 1, 0, "newer", "newer"});

struct newer_plugin {
  struct hf_plugin p;
  const char *more[4];
};
HF_EXPORT extern const struct newer_plugin hf_plugin_v1;
HF_EXPORT const struct newer_plugin hf_plugin_v1 = {.p = {.magic = HF_ABI_MAGIC,
                                                          .abi_major = HF_ABI_MAJOR,
                                                          .abi_minor = MINOR,
                                                          .abi_print = HF_ABI_PRINT,
                                                          .struct_size = sizeof(struct newer_plugin),
                                                          .name = "newer",
                                                          .version = "7.0",
                                                          .license = "Apache-2.0",
                                                          .summary = "from the future",
                                                          .module_count = 2,
                                                          .modules = modules,
                                                          .load = load},
                                                    .more = {"a", "b", "c", "d"}};
