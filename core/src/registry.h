/* registry.h - what the plugin files of the core share: facts read from a file, the folders that are searched, the index
 * of facts, opened descriptors and normalised modules. Private to registry.c, elf.c, search.c, index.c, load.c, normal.c,
 * task.c and the tests. Refusals are sentences without a final stop; `why` is always terminated. */
#ifndef HF_REGISTRY_H
#define HF_REGISTRY_H
#include "core.h"

#include <sys/stat.h>

enum {
  HF_MODULES_MAX = 48, /* modules in one file */
  HF_ROW_MAX = 4096,   /* bytes of a table row, a vtable, a descriptor */
  HF_WHY_MAX = 320,    /* a refusal */
  HF_PLUGIN_FILES_MAX = 1024
};

/* Writes the refusal and answers false, so that `return hf_refuse(...)` reads well. */
bool hf_refuse(char why[HF_WHY_MAX], const char *fmt, ...) HF_PRINTF(2, 3);

/* ---- elf.c ---- */
struct hf_facts {
  uint16_t abi_major, abi_minor;
  uint32_t count; /* 0: no readable note */
  char plugin[32], version[24];
  struct hf_note_module modules[HF_MODULES_MAX];
  char why[HF_WHY_MAX]; /* refused because; "": nothing wrong */
  const char *rule;     /* the rule that was broken; not kept in the index */
  bool passing;         /* refused for something outside of the file: not worth remembering */
};
/* Reads the file behind fd without mapping it. False: facts->why; what the note said is there when it was readable. */
bool hf_elf_read(int fd, struct hf_facts *);
bool hf_name_legal(const char *); /* of a module or plugin: [a-z0-9][a-z0-9-]{0,30} */

/* ---- search.c ---- */
struct hf_place { /* one folder of the search order */
  char path[4096];
  const char *origin;
  char why[HF_WHY_MAX]; /* not searched because; "": it is */
};
/* In order of search: the runtime's option, HF_PLUGIN_PATH as configured, the user's, the library's. Answers how many. */
uint32_t hf_search_places(const char *option, const char *setting, const char *libdir, struct hf_place *, uint32_t max);
/* Does everything on the way to path belong to root or us, with nobody else able to write? Follows links (bounded);
 * real: the way without links, at least 4096 bytes. */
bool hf_path_trusted(const char *path, char *real, char why[HF_WHY_MAX]);
/* The rule for one file or folder. */
bool hf_stat_trusted(const char *path, const struct stat *, char why[HF_WHY_MAX]);
bool hf_privileged(void); /* the environment must not choose code: set-uid, set-gid, file capabilities */

/* ---- index.c ---- */
struct hf_file_key {
  uint64_t dev, ino, size;
  int64_t mtime_ns, ctime_ns;
};
struct hf_file_key hf_file_key(const struct stat *);
struct hf_index;
struct hf_index *hf_index_open(void); /* never NULL unless memory is out; an unreadable or damaged index is empty */
const struct hf_facts *hf_index_find(const struct hf_index *, const char *path, const struct hf_file_key *);
void hf_index_add(struct hf_index *, const char *path, const struct hf_file_key *, const struct hf_facts *);
void hf_index_close(struct hf_index *); /* written when something was added that is worth it */

/* ---- load.c ---- */
/* Opens the file as code: the checks and dlopen see the same descriptor. NULL: why. */
const struct hf_plugin *hf_load_file(const char *path, struct hf_facts *, char why[HF_WHY_MAX]);
/* The rules of a descriptor in memory; facts NULL: built in. */
bool hf_load_check(const struct hf_plugin *, const struct hf_facts *, char why[HF_WHY_MAX]);
/* load() of the plugin, once in this process until the last user lets go; a failure stays. */
hf_status hf_load_use(const struct hf_plugin *, const struct hf_host *, void **state, char why[HF_WHY_MAX]);
void hf_load_drop(const struct hf_plugin *);

/* ---- normal.c ---- */
/* A full vtable of ours in the arena: known members copied, missing functions callable, tables in rows of ours. */
const struct hf_module *hf_normalise(struct hf_arena *, const struct hf_module *, char why[HF_WHY_MAX]);
bool hf_tasks_unique(const struct hf_tasks *, char why[HF_WHY_MAX]); /* no task or parameter twice */
const char *hf_kind_word(uint32_t kind);                             /* "transfer adapter"; NULL: no such kind */

/* ---- registry.c ---- */
/* Opened pack that holds the row; NULL when it is none of ours. */
struct hf_slot_module *hf_registry_pack(hf_runtime *, const struct hf_task *);
/* The first pack with a runner for rows without one. */
struct hf_slot_module *hf_registry_runner(hf_runtime *);
/* load() of the slot's plugin when it has not run yet. */
hf_status hf_slot_ready(hf_call *, struct hf_slot_module *);
#endif
