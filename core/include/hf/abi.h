/* hf/abi.h - the rules that every struct crossing the plugin boundary obeys, and the words both sides use for success
 * and failure. A plugin includes hf/plugin.h and the header of its kind; everything else follows from there.
 *
 * Rules
 *  1. A struct that can grow begins with struct_size (modules: inside their frozen header). New members go to the end
 *     only. The reader copies what both sides know; members that the writer does not know read as zero.
 *  2. A struct marked FROZEN never changes: it is embedded by value, or travels without a size.
 *  3. Arrays of structs that can grow travel as struct hf_table, which carries the stride of the side that wrote it.
 *  4. No enum-typed, bool, bit-field or third-party-typed member. Text is UTF-8, NUL-terminated unless a length follows.
 *  5. A plugin never writes into a growable struct that the host allocated: results go through host->put().
 *  6. Pointers handed in as arguments are valid during the call only, unless the function says otherwise.
 *
 * Since ABI 1.0. Members added later say "since 1.N" and are absent for code compiled with a smaller HF_ABI_MINOR. */
#ifndef HF_ABI_H
#define HF_ABI_H
#include <stddef.h>
#include <stdint.h>

#define HF_ABI_MAJOR 1u
#ifndef HF_ABI_MINOR
#define HF_ABI_MINOR 1u
#endif
#define HF_ABI_MAGIC 0x4c504648u /* "HFPL" in memory on little-endian machines */

/* Sizes of pointer, size_t and long: a plugin built for another data model is refused before it is opened. */
#define HF_ABI_PRINT ((uint32_t)(sizeof(void *) | sizeof(size_t) << 8 | sizeof(long) << 16))

/* FROZEN. An array whose elements may be longer or shorter on the other side. */
struct hf_table {
  const void *rows;
  uint32_t count;
  uint32_t stride; /* bytes from one row to the next, as the writer was compiled; at most 4096 */
};
#define HF_TABLE(a) \
  { (a), (uint32_t)(sizeof(a) / sizeof((a)[0])), (uint32_t)sizeof((a)[0]) }
#define HF_TABLE_N(p, n) \
  { (p), (uint32_t)(n), (uint32_t)sizeof(*(p)) }

/* FROZEN. A pair of strings: headers, options. */
struct hf_kv {
  const char *key, *value;
};

#if defined(__GNUC__)
#define HF_EXPORT __attribute__((visibility("default")))
#define HF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define HF_MUST_USE __attribute__((warn_unused_result))
#else
#define HF_EXPORT
#define HF_PRINTF(f, a)
#define HF_MUST_USE
#endif

/* 0 is success, negative is failure, positive has the meaning that the function gives it. */
typedef int32_t hf_status;
enum {
  HF_OK = 0,
  HF_PENDING = 1,       /* not an error: the result comes with a later call (see the function) */
  HF_EINTERNAL = -1,    /* a bug on the side that reports it */
  HF_ENOMEM = -2,       /* out of memory or over the memory budget */
  HF_EINVAL = -3,       /* an argument that can never work; the CLI exits 2 where the user typed it */
  HF_ENOSYS = -4,       /* this module does not have that operation */
  HF_ECANCELED = -5,    /* somebody asked to stop */
  HF_ETIMEDOUT = -6,    /* a deadline passed, or no byte arrived for the watchdog's time */
  HF_EIO = -7,          /* a local file or device failed; sys_errno says how */
  HF_ENOTFOUND = -8,    /* asked for by name, and not there */
  HF_EEXISTS = -9,      /* must be new, and is not */
  HF_EAUTH = -10,       /* no, wrong or insufficient credentials */
  HF_EGATED = -11,      /* access must be requested first */
  HF_ERATELIMIT = -12,  /* the server asked for patience longer than the call had */
  HF_EHTTP = -13,       /* any other HTTP status >= 400; http_status says which */
  HF_EDIGEST = -14,     /* complete, and not what was promised */
  HF_EOFFLINE = -15,    /* the network may not be used */
  HF_EABI = -16,        /* the other side broke a rule of this header */
  HF_ECONFLICT = -17,   /* compare-and-swap lost, parent commit moved, lease taken over */
  HF_ENET = -18,        /* name, connection, TLS or transport failed */
  HF_EPROTO = -19,      /* the other end sent what the protocol does not allow */
  HF_ENOSPACE = -20,    /* disk, quota or inodes are used up */
  HF_EPERM = -21        /* the operating system refused access to a local file */
};

/* One error. fail() copies what it knows; strings may be temporary. Everything but code and message may be zero. */
struct hf_error {
  uint32_t struct_size;
  hf_status code;
  const char *cls;         /* class of the reference client, "RepositoryNotFoundError"; NULL: by code */
  const char *message;     /* one sentence: what failed, on what, what to do; never a secret */
  int32_t sys_errno;       /* errno of the failed system call, or 0 */
  uint32_t http_status;    /* status of the answer that failed, or 0 */
  uint32_t retryable;      /* non-zero: the same request may succeed later */
  uint32_t retry_after_ms; /* the server's own wish, 0 = none */
  const char *request_id;  /* of the answer that failed */
  const char *url;         /* logical URL of the request that failed */
};

/* Opaque things are typedefs, transparent ones are `struct`: the spelling tells them apart. */
typedef struct hf_call hf_call;     /* one running operation: error, cancellation, deadline, options, arena */
typedef struct hf_args hf_args;     /* arguments of a task */
typedef struct hf_out hf_out;       /* where a task's records go */
typedef struct hf_hook hf_hook;     /* a registered cancel hook */
typedef struct hf_slot hf_slot;     /* where a plugin's results go */
typedef struct hf_digester hf_digester; /* a running digest */
typedef struct hf_jobs hf_jobs;     /* a group of spawned jobs */
#endif
