/* hf/plugin.h - how a shared object says what it is: one const descriptor, and an ELF note with the same facts.
 * The note is read before the file is opened as code: listing, choosing and refusing a plugin runs none of it.
 * A complete plugin is a vtable per module, an array of pointers to them, and one HF_PLUGIN(...).
 *
 *   static const struct hf_host *H;
 *   static hf_status load(const struct hf_host *h, void **state) { H = h; *state = NULL; return HF_OK; }
 *   static const struct hf_transfer mine = { .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "mine", "what it does",
 *                                                           HF_THREADS_ANY, 5, HF_TR_DOWNLOAD), .run = run, ... };
 *   static const struct hf_module *const modules[] = { &mine.m };
 *   HF_PLUGIN("mine", "1.0.0", "Apache-2.0", "what it does", load, NULL, modules,
 *             { HF_KIND_TRANSFER, 5, HF_TR_DOWNLOAD, "mine", "" });
 *
 * cc -shared -fPIC -fvisibility=hidden mine.c -o hf-mine.so gives a file that exports one symbol. Compiled with
 * -DHF_STATIC_PLUGIN=transfer_mine the same source becomes part of a program, entry hf_plugin_v1_transfer_mine. */
#ifndef HF_PLUGIN_H
#define HF_PLUGIN_H
#include <hf/abi.h>
#include <hf/host.h>

enum { HF_KIND_TRANSFER = 1, HF_KIND_STORAGE = 2, HF_KIND_PROVIDER = 3, HF_KIND_TASKS = 4 };

/* What the host may do at the same time. It serialises the rest; a smaller number is the stricter promise. */
enum {
  HF_THREADS_ONE = 0,        /* one call at a time into the whole module */
  HF_THREADS_PER_OBJECT = 1, /* one call at a time into each session, store, sink or source */
  HF_THREADS_ANY = 2         /* the module locks for itself */
};

/* A parameter of a task, or a configuration key of a module ("NAME.KEY" in hf.conf, host->option(call, KEY)). */
struct hf_param {
  const char *name;       /* "repo_id"; the CLI spells options with dashes: --repo-type for repo_type */
  const char *spellings;  /* further CLI spellings, comma separated: "--type,-t"; a leading "=" replaces --NAME */
  const char *help;       /* one sentence */
  const char *value_name; /* shown in help: "REPO_ID", "INTEGER"; NULL: from the type */
  const char *deflt;      /* default as text, NULL: none; in parentheses, "(model)": shown in help, but not a value */
  const char *choices;    /* comma separated; for HF_P_STR suggestions only, for HF_P_CHOICE the whole set; HF_P_INT: "1..", the least */
  const char *env;        /* environment variable asked when the option is absent, NULL: none */
  uint32_t type, flags;   /* HF_P_*, HF_PF_* */
  const char *since;      /* version of the reference client that brought it, NULL: always there */
  const char *gone;       /* version that dropped it (kept for compatibility), NULL: current */
};
enum {
  HF_P_STR = 1,
  HF_P_INT,
  HF_P_BOOL,  /* a flag; HF_PF_TRISTATE adds --no-NAME */
  HF_P_FLOAT,
  HF_P_PATH,  /* a local path; completed by the shell */
  HF_P_REPO,  /* "ns/name" */
  HF_P_CHOICE,
  HF_P_JSON
};
enum {
  HF_PF_REQUIRED = 1,
  HF_PF_POSITIONAL = 2,
  HF_PF_REPEAT = 4,
  HF_PF_SECRET = 8,    /* never logged, traced or shown */
  HF_PF_HIDDEN = 16,
  HF_PF_TRISTATE = 32  /* --name / --no-name */
};

/* FROZEN: the first member of every vtable. */
struct hf_module {
  uint32_t kind;        /* HF_KIND_* */
  uint32_t struct_size; /* of the whole vtable as this plugin was compiled */
  const char *name;     /* [a-z0-9][a-z0-9-]{0,30}; unique within its kind */
  const char *summary;  /* one line */
  uint32_t threads;     /* HF_THREADS_* */
  int32_t priority;     /* among equals the higher is asked first; ours are 10, 20, 30 */
  uint64_t caps;        /* bits of the kind: HF_TR_*, HF_ST_* ... */
  struct hf_table config; /* rows: struct hf_param; keys this module reads with host->option() */
  const void *reserved[2];
};
#define HF_MODULE(type, kind_, name_, summary_, threads_, priority_, caps_)                            \
  {                                                                                                    \
    .kind = (kind_), .struct_size = (uint32_t)sizeof(struct type), .name = (name_),                    \
    .summary = (summary_), .threads = (threads_), .priority = (priority_), .caps = (uint64_t)(caps_)   \
  }

/* The descriptor: symbol hf_plugin_v1, const data. A foreign ABI major is a missing symbol. */
struct hf_plugin {
  uint32_t magic;
  uint16_t abi_major, abi_minor; /* as compiled; a larger minor than the host's is accepted (rule 1) */
  uint32_t abi_print, struct_size;
  const char *name, *version, *license, *summary;
  uint32_t min_host_minor; /* refuse hosts older than this */
  uint32_t module_count;
  const struct hf_module *const *modules;
  /* Called once, on the first use of any module, before any other function; never at the same time as others. The host
   * table lives as long as the process. On failure nothing of the plugin is used again. */
  hf_status (*load)(const struct hf_host *, void **state);
  /* Called at most once, when the runtime ends and nothing of the plugin runs any more; may be NULL. */
  void (*unload)(void *state);
};

/* FROZEN: what the note holds per module (128 bytes) and in front of them (72 bytes). */
struct hf_note_module {
  uint32_t kind;
  int32_t priority;
  uint64_t caps;
  char name[32];
  char commands[80]; /* task packs: first words of their commands, space separated */
} __attribute__((packed, aligned(4)));
struct hf_note_head {
  uint16_t abi_major, abi_minor;
  uint32_t abi_print, row_size, row_count;
  char plugin[32], version[24];
} __attribute__((packed, aligned(4)));
#define HF_NOTE_OWNER "HFPL"
#define HF_NOTE_TYPE 1u
#define HF_NOTE_SECTION ".note.hf.plugin"

#define HF_CAT_(a, b) a##b
#define HF_CAT(a, b) HF_CAT_(a, b)
#define HF_NOTE_ROWS(...) ((const struct hf_note_module[]){__VA_ARGS__})

#ifdef HF_STATIC_PLUGIN
#define HF_ENTRY HF_CAT(hf_plugin_v1_, HF_STATIC_PLUGIN)
#define HF_PLUGIN_NOTE(name_, version_, ...) struct hf_plugin
#else
#define HF_ENTRY hf_plugin_v1
#define HF_PLUGIN_NOTE(name_, version_, ...)                                                                         \
  static const struct {                                                                                              \
    uint32_t namesz, descsz, type;                                                                                   \
    char owner[8];                                                                                                   \
    struct hf_note_head head;                                                                                        \
    struct hf_note_module rows[sizeof(HF_NOTE_ROWS(__VA_ARGS__)) / sizeof(struct hf_note_module)];                   \
  } __attribute__((packed, aligned(4))) hf_plugin_note                                                               \
      __attribute__((used, aligned(4), section(HF_NOTE_SECTION))) = {                                                            \
          5,                                                                                                         \
          (uint32_t)(sizeof(struct hf_note_head) + sizeof(HF_NOTE_ROWS(__VA_ARGS__))),                               \
          HF_NOTE_TYPE,                                                                                              \
          HF_NOTE_OWNER,                                                                                             \
          {HF_ABI_MAJOR, HF_ABI_MINOR, HF_ABI_PRINT, (uint32_t)sizeof(struct hf_note_module),                        \
           (uint32_t)(sizeof(HF_NOTE_ROWS(__VA_ARGS__)) / sizeof(struct hf_note_module)), name_, version_},          \
          {__VA_ARGS__}};                                                                                            \
  struct hf_plugin
#endif

/* name, version, licence, summary, load, unload, array of module pointers, then one note row per module. The loader
 * compares note and descriptor: a plugin whose note lies is refused. */
#define HF_PLUGIN(name_, version_, license_, summary_, load_, unload_, modules_, ...)                                \
  HF_PLUGIN_NOTE(name_, version_, __VA_ARGS__);                                                                      \
  HF_EXPORT extern const struct hf_plugin HF_ENTRY;                                                                  \
  HF_EXPORT const struct hf_plugin HF_ENTRY = {.magic = HF_ABI_MAGIC,                                                \
                                               .abi_major = HF_ABI_MAJOR,                                            \
                                               .abi_minor = HF_ABI_MINOR,                                            \
                                               .abi_print = HF_ABI_PRINT,                                            \
                                               .struct_size = sizeof(struct hf_plugin),                              \
                                               .name = (name_),                                                      \
                                               .version = (version_),                                                \
                                               .license = (license_),                                                \
                                               .summary = (summary_),                                                \
                                               .module_count = (uint32_t)(sizeof(modules_) / sizeof((modules_)[0])), \
                                               .modules = (modules_),                                                \
                                               .load = (load_),                                                      \
                                               .unload = (unload_)};                                                 \
  struct hf_plugin
#endif
