/* bench.h - what the files of hf-plugin-check share: a rule, the bench it is tried on, and the ways to end a try.
 * Each rule runs in a child process of its own, so a crash, a hang or a leak of the plugin is that rule's failure only:
 * a rule that fails or is skipped says so and the process ends there.
 * Private to sdk/check. */
#ifndef CHECK_BENCH_H
#define CHECK_BENCH_H
#include <hfcore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct bench { /* what a rule has at hand */
  hf_runtime *rt;
  hf_call *c;
  const struct hf_host *h;
  const char *scratch; /* a folder of this rule's own */
  const struct hf_module *m;

  /* storage */
  const struct hf_storage *backend; /* as the plugin has it */
  const struct hf_storage *st;      /* of the open store: the same, or layers around it */
  void *store;                      /* open */
  const char *uri;
  bool own_uri; /* the place may hold other things: the user named it, or it was used before */
  struct hf_repo repo, other_repo;
  char repo_id[64], other_id[64];

  /* transfer */
  const struct hf_transfer *tr;
  struct server *server;

  /* provider */
  const char *cases; /* file with cases, or NULL */
};

struct rule {
  const char *name; /* "storage/publish-is-atomic": says the rule */
  void (*run)(struct bench *);
  uint64_t caps;                 /* tried only where all of these bits are set */
  uint64_t without;              /* and none of these */
  void (*after)(struct bench *); /* run() ends with its process; then this in a new one, same folder */
};
struct rules {
  const struct rule *rows;
  uint32_t count;
};
extern const struct rules storage_store_rules, storage_sink_rules, storage_group_rules, storage_held_rules,
    transfer_rules, transfer_upload_rules, transfer_fault_rules, provider_rules, provider_case_rules;

/* Whatever failed before in this place: a store goes on working. For stores that do not tell repos apart. */
extern const struct rule storage_goes_on;

/* End this try. */
_Noreturn void failed(const char *fmt, ...) HF_PRINTF(1, 2);
_Noreturn void skipped(const char *why);
_Noreturn void gone(void); /* as if killed: nothing is closed or flushed by us */

#define EXPECT(cond, ...)             \
  do {                                \
    if (!(cond)) failed(__VA_ARGS__); \
  } while (0)
/* HF_OK, or the error's sentence. */
void expect_ok(struct bench *, hf_status, const char *what);
/* A failure with this code (0: any) and, where the call has an error, a sentence; the error is cleared. */
void expect_fails(struct bench *, hf_status got, hf_status want, const char *what);

/* ---- judge.c ---- */
struct asked {
  const char *file, *uri;
  const struct hf_kv *settings;
  uint32_t setting_count;
  const char *only;   /* rules whose name contains this */
  const char *layers; /* around what is judged, as in HF_LAYERS; NULL: none */
  const char *cases;  /* calls of a provider and what must come of them; NULL: none */
  uint32_t timeout_s, jobs;
  bool json, faults; /* faults: a layer that fails some calls, the same ones for the same seed */
  uint32_t seed;
};
/* Prints a row per rule; how many failed, or -1: could not judge. */
int judge(const struct asked *);
void judge_list(void); /* the names of all rules */

/* ---- abi.c: the rules of the file itself; false: nothing further can be tried ---- */
struct verdicts {
  bool json;
  const char *only;
  uint32_t passed, failures, skips, struck;
};
void say(struct verdicts *, const char *rule, const char *result, const char *detail);
bool check_file(struct verdicts *, hf_runtime *, const char *file);
void check_list(void); /* prints the names of these rules */
/* In a child: load(), and the module as the host sees it. */
void check_open(struct bench *, uint32_t kind, const char *name);

/* ---- bytes.c ---- */
void fill(void *buf, size_t len, uint64_t off, uint64_t seed); /* byte i depends on off + i and seed only */
bool same(const void *buf, size_t len, uint64_t off, uint64_t seed);
uint64_t now_ms(void);
void hex(char *out, const uint8_t *bytes, size_t n);
/* A picture of a folder: names, sizes, times. Equal pictures: nothing was written. */
uint64_t picture(const char *folder);

#endif
