/* good.c - the smallest plugin that is right in everything: a transfer adapter that suits nothing, a task pack with one
 * task, and a provider row. BAD_* switches break one rule each; CMakeLists.txt lists them with what the loader must say.
 * Every switch is one deviation, so that a refusal can have one reason only. */
#include <hf/provider.h>
#include <hf/task.h>
#include <hf/transfer.h>

#ifdef BAD_MAJOR
#undef HF_ABI_MAJOR
#define HF_ABI_MAJOR 2u
#endif
#ifdef BAD_PRINT
#undef HF_ABI_PRINT
#define HF_ABI_PRINT 0x00040404u
#endif
#ifndef NAME
#define NAME "good"
#endif
#ifndef PRIORITY
#define PRIORITY 7
#endif
#ifndef COMMANDS
#define COMMANDS "good"
#endif
#ifndef TASK
#define TASK "good.echo"
#endif
#ifndef VERSION
#define VERSION "1.2.3"
#endif

static const struct hf_host *H;

#ifdef BAD_CONSTRUCTOR
__attribute__((constructor)) static void early(void) {
  __builtin_trap();
}
#endif
#ifdef BAD_DESTRUCTOR
__attribute__((destructor)) static void late(void) {
  H = NULL;
}
#endif
#ifdef BAD_INIT
void begin(void);
void begin(void) {
  __builtin_trap();
}
#endif
#ifdef BAD_EXPORT
HF_EXPORT extern int second_symbol;
HF_EXPORT int second_symbol = 1;
#endif
#ifdef BAD_IFUNC
static int plain(void) {
  return 0;
}
static int (*choose(void))(void) {
  return plain;
}
static int chosen(void) __attribute__((ifunc("choose")));
#endif
#ifdef BAD_UNDEFINED
extern const char *hf_version(void);
#endif

static hf_status load(const struct hf_host *h, void **state) {
  H = h;
  *state = &H;
#ifdef BAD_IFUNC
  if (chosen()) return HF_EINTERNAL;
#endif
#ifdef BAD_UNDEFINED
  if (!hf_version()) return HF_EINTERNAL;
#endif
#ifdef BAD_LOAD
  return HF_ENOSYS;
#else
  return HF_OK;
#endif
}

static int32_t score(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return 0;
}
static hf_status open_(hf_call *c, const struct hf_tr_batch *b, void **session) {
  (void)b, (void)session;
  return H->failf(c, HF_ENOSYS, "suits nothing");
}
static hf_status run(hf_call *c, void *session, struct hf_tr_file *f) {
  (void)c, (void)session, (void)f;
  return HF_ENOSYS;
}
static void close_(void *session) {
  (void)session;
}

static const struct hf_transfer transfer = {
    .m = {.kind = HF_KIND_TRANSFER,
#ifdef BAD_MODULE_SIZE
          .struct_size = 16,
#else
          .struct_size = sizeof(struct hf_transfer),
#endif
#ifdef BAD_MODULE_NAME
          .name = "Not Legal",
#else
          .name = NAME,
#endif
          .summary = "suits nothing",
#ifdef BAD_THREADS
          .threads = 9,
#else
          .threads = HF_THREADS_ANY,
#endif
          .priority = PRIORITY,
#ifdef BAD_NOTE_CAPS
          .caps = HF_TR_DOWNLOAD | HF_TR_RANGES
#else
          .caps = HF_TR_DOWNLOAD
#endif
    },
    .score = score,
    .open = open_,
#ifndef BAD_NO_RUN
    .run = run,
#endif
    .close = close_,
};

static hf_status echo(hf_call *c, void *state, const hf_args *a, hf_out *o) {
  (void)state;
  const char *word = H->arg_str(a, "word", 0);
  int64_t times = 0;
  H->arg_int(a, "times", &times);
  for (int64_t i = 0; i < times; i++) {
    hf_status st = H->record(o, HF_OUT_TEXT, word, SIZE_MAX);
    if (st) return st;
  }
  return times == 99 ? H->failf(c, HF_EINVAL, "99 is too often") : HF_OK;
}
static const struct hf_param params[] = {
#ifdef BAD_PARAM
    {.help = "a parameter without a name", .type = HF_P_STR},
#endif
    {.name = "word", .help = "What to say.", .type = HF_P_JSON, .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "times", .help = "How often.", .type = HF_P_INT, .deflt = "1", .env = "HF_TEST_TIMES"},
};
static const struct hf_task tasks[] = {
#ifdef BAD_TWIN_TASKS
    {.name = TASK, .summary = "Says it too.", .params = HF_TABLE(params), .run = echo},
#endif
    {.name = TASK, .summary = "Says it.", .params = HF_TABLE(params), .run = echo},
#ifdef BAD_IDLE_TASK
    {.name = "good.nothing", .summary = "Does nothing."},
#endif
};
static const struct hf_tasks pack = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, NAME, "one task", HF_THREADS_ANY, PRIORITY, 0),
#if defined BAD_STRIDE
    .tasks = {tasks, 1, 8},
#elif defined BAD_COUNT
    .tasks = {tasks, 1000000, sizeof tasks[0]},
#else
    .tasks = HF_TABLE(tasks),
#endif
};

static const struct hf_pv_task cells[] = {{.task = "conversational",
                                           .route = "/v1/chat/completions",
                                           .body = "{model: $model, messages: $.messages, ...}",
                                           .stream = HF_PV_STREAM_CHAT}};
static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, NAME, "a provider of nothing", HF_THREADS_ANY, PRIORITY, 0),
    .base_url = "http://127.0.0.1:9",
    .tasks = HF_TABLE(cells),
};

static const struct hf_module *const modules[] = {
    &transfer.m,
#ifdef BAD_EMPTY_MODULE
    NULL,
#elif defined BAD_TWIN_MODULES
    &transfer.m,
#else
    &pack.m,
#endif
    &provider.m,
};

#ifdef BAD_NOTE_NAME
#define NOTE_NAME "another"
#else
#define NOTE_NAME NAME
#endif
#ifdef BAD_NOTE_PRIORITY
#define NOTE_PRIORITY 99
#else
#define NOTE_PRIORITY PRIORITY
#endif
#define NOTE_ROWS                                                                                              \
  {HF_KIND_TRANSFER, NOTE_PRIORITY, HF_TR_DOWNLOAD, NAME, ""}, {HF_KIND_TASKS, PRIORITY, 0, NAME, COMMANDS}, { \
    HF_KIND_PROVIDER, PRIORITY, 0, NAME, ""                                                                    \
  }

#if defined BAD_NO_NOTE || defined BAD_NOTE_NAME || defined BAD_MAGIC || defined BAD_SIZE || defined BAD_MIN_HOST || \
    defined BAD_NO_MODULES || defined BAD_SYMBOL || defined BAD_NO_LOAD || defined BAD_NOTE_COUNT
#ifdef BAD_NOTE_COUNT
HF_PLUGIN_NOTE(NAME, VERSION, NOTE_ROWS, {HF_KIND_STORAGE, 1, 0, "ghost", ""});
#elif !defined BAD_NO_NOTE
HF_PLUGIN_NOTE(NOTE_NAME, VERSION, NOTE_ROWS);
#endif
#ifdef BAD_SYMBOL
#undef HF_ENTRY
#define HF_ENTRY hf_plugin_v9
#endif
HF_EXPORT extern const struct hf_plugin HF_ENTRY;
HF_EXPORT const struct hf_plugin HF_ENTRY = {
#ifndef BAD_MAGIC
    .magic = HF_ABI_MAGIC,
#endif
    .abi_major = HF_ABI_MAJOR,
    .abi_minor = HF_ABI_MINOR,
    .abi_print = HF_ABI_PRINT,
#ifdef BAD_SIZE
    .struct_size = 65536,
#else
    .struct_size = sizeof(struct hf_plugin),
#endif
    .name = NAME,
    .version = VERSION,
    .license = "Apache-2.0",
    .summary = "what it does",
#ifdef BAD_MIN_HOST
    .min_host_minor = 99,
#endif
#ifndef BAD_NO_MODULES
    .module_count = 3,
#endif
    .modules = modules,
#ifndef BAD_NO_LOAD
    .load = load,
#endif
};
#else
HF_PLUGIN(NAME, VERSION, "Apache-2.0", "what it does", load, NULL, modules, NOTE_ROWS);
#endif
