/* posix.h - what the backends that keep files on a POSIX file system share: safe paths, partial files, leases, trees.
 * Private to plugins/storage, compiled into each such plugin. No function follows a link out of the root of a store.
 * Functions that return int or a pointer leave the reason in errno; those that take the call set its error. */
#ifndef HF_POSIX_H
#define HF_POSIX_H
#include <hf/plugin.h>
#include <hf/io.h>
#include <hf/storage.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define HF_NAME_ROOM 256 /* NAME_MAX and its NUL */
#define HF_PATH_ROOM 4096

/* ---- fail.c ------------------------------------------------------------------------------------------------------ */
extern const struct hf_host *hf_posix_host; /* set by the plugin's load() */
#define H hf_posix_host
#define TRY(x)                      \
  do {                              \
    hf_status try_ = (x);           \
    if (try_ != HF_OK) return try_; \
  } while (0)
/* "Could not VERB PATH: REASON." with what to do about it; returns the code that errno stands for. */
hf_status hf_file_fail(hf_call *, int err, const char *verb, const char *path);
bool hf_flag_option(hf_call *, const char *key); /* 1, ON, YES, TRUE in any case */
void *hf_zalloc(hf_call *, size_t);              /* zeroed, with the error set when NULL */
char *hf_strdup(hf_call *, const char *);
/* Formats into room bytes; false when it did not fit. */
bool hf_format(char *out, size_t room, const char *fmt, ...) HF_PRINTF(3, 4);

/* ---- name.c: words of the layout --------------------------------------------------------------------------------- */
bool hf_hex_is(const char *, size_t digits); /* exactly so many lower-case hex digits */
bool hf_path_safe(const char *);             /* relative, no empty, "." or ".." component */
/* File name for an etag: itself when it is harmless as one, else a digest of it. out: HF_NAME_ROOM bytes. */
hf_status hf_etag_name(hf_call *, const char *etag, char *out);
hf_status hf_sha256_hex(hf_call *, const void *, size_t, char out[65]);
void hf_hex_write(char *out, const uint8_t *, size_t n);
extern const char hf_cachedir_tag[];

/* ---- root.c: one store's folder and the directories below it, held open ------------------------------------------ */
struct hf_dir { /* an open directory; usable with *at() and fsync until put back */
  int fd;
  uint32_t users;
  bool stale;
  uint64_t used;
  char *path; /* relative to the root, "" is the root */
};
#define HF_DIRS_OPEN  32
#define HF_FRESH_DIRS 16
struct hf_place { /* a folder below the root that holds temporaries of ours */
  struct hf_place *next;
  bool swept; /* left-overs of the dead were looked after */
  char dir[];
};
struct hf_root {
  char *path; /* absolute, links resolved as far as it exists */
  pthread_mutex_t lock;
  struct hf_dir *dirs[HF_DIRS_OPEN];
  uint64_t clock;
  struct hf_place *places;
  pthread_mutex_t fresh_lock; /* held while they are flushed: whoever waits for it finds them durable */
  int fresh[HF_FRESH_DIRS];   /* folders in which one was made, not yet flushed */
  uint32_t fresh_count;
  bool fresh_more;   /* others too */
  bool unhurried;    /* nothing is made durable: when bytes are written back is the kernel's choice */
  _Atomic int local; /* 1: file system of this machine alone, 0: maybe shared, -1: not asked yet */
};
hf_status hf_root_open(hf_call *, const char *path, struct hf_root **); /* creates nothing */
void hf_root_close(struct hf_root *);
/* NULL with errno. create: missing components are made. Symbolic links below the root are refused (ELOOP). */
struct hf_dir *hf_dir_get(struct hf_root *, const char *rel, bool create);
void hf_dir_put(struct hf_root *, struct hf_dir *);
void hf_root_forget(struct hf_root *); /* closes what is held open: somebody removed folders under us */
/* Opens what a relative path leads to, links followed as long as they stay below the root; -1 with errno (EXDEV: leads
 * out). Never blocks on a FIFO. */
int hf_root_look(struct hf_root *, const char *rel, int flags);
/* The same, and a regular file; *st is filled in. ENOENT when it is anything else. */
int hf_root_look_file(struct hf_root *, const char *rel, int flags, struct stat *st);
bool hf_root_is_local(struct hf_root *);
/* Makes durable that folders were made below the root; all: the caller flushes everything anyway. 0 or errno. */
int hf_root_settle(struct hf_root *, bool all);
/* Whole small file (at most max bytes) below the root into alloc'ed memory with a NUL behind it; NULL with errno. */
char *hf_root_read(struct hf_root *, const char *rel, size_t max, size_t *len);
/* Bytes free and a name for the volume that holds the root or will: HF_PUT_TEXT "AVAILABLE VOLUME". */
hf_status hf_root_space(hf_call *, struct hf_root *, hf_slot *);
hf_status hf_root_fail(hf_call *, const struct hf_root *, int err, const char *verb, const char *rel);
/* Removes a directory with all below it; links are removed, not followed. Depth is bounded. 0 or errno. */
int hf_tree_remove(int dirfd, const char *name);
/* Entries of a directory, "." and ".." left out; stops when fn answers false. 0 or errno. */
int hf_dir_each(int dirfd, bool (*fn)(void *, const char *name, unsigned char type), void *arg);
bool hf_write_all(int fd, const void *, size_t);

/* ---- ident.c: who holds a partial file or lease ------------------------------------------------------------------ */
enum hf_holder { HF_HOLDER_ALIVE, HF_HOLDER_DEAD, HF_HOLDER_UNKNOWN };
#define HF_IDENT_ROOM 112
void hf_ident_make(char out[HF_IDENT_ROOM]); /* this process, and a number unique in it */
enum hf_holder hf_ident_judge(const char *id, bool local);

/* ---- lease.c ----------------------------------------------------------------------------------------------------- */
/* Leases live beside the partials: DIR/KEY.lock (flock, shared with the reference client) and DIR/KEY.libhf/lease. */
struct hf_leases {
  struct hf_root *root;
  pthread_mutex_t lock;
  struct hf_lease *held;
  bool keep_locks; /* lock files stay, as the reference client leaves them */
};
struct hf_lease {
  struct hf_lease *next;
  char *dir, *key;
  int lock_fd;    /* -1: the file system has no locks that work */
  uint64_t inode; /* of the lease file, 0: none written */
  uint32_t ttl_ms;
  bool busy;    /* an ingest writes its partial */
  bool dropped; /* by its taker while busy: ends with the partial */
  char id[HF_IDENT_ROOM];
};
/* Opens (and makes) the folder DIR/KEY.libhf; never kept open, as its last user removes it. -1 with errno. */
int hf_key_open(struct hf_root *, const char *dir, const char *key, bool create);
void hf_leases_open(struct hf_leases *, struct hf_root *, bool keep_locks);
void hf_leases_close(struct hf_leases *);
/* wait: until free; else *out NULL when somebody holds it. */
hf_status hf_lease_get(hf_call *, struct hf_leases *, const char *dir, const char *key, uint32_t ttl_ms, bool wait,
                       struct hf_lease **out);
hf_status hf_lease_renew(hf_call *, struct hf_leases *, struct hf_lease *);
void hf_lease_end(struct hf_leases *, struct hf_lease *);
/* A lease that this store holds on the key and nobody writes under yet; marks it busy. */
struct hf_lease *hf_lease_claim(struct hf_leases *, const char *dir, const char *key);
bool hf_lease_show(struct hf_leases *, struct hf_lease *); /* writes the lease file if there is none yet */

/* ---- part.c: files on their way in ------------------------------------------------------------------------------- */
/* DIR/KEY.libhf/p.IDENT/{data,note}: a partial that survives; DIR/.libhf/IDENT: a temporary that does not. */
enum { HF_WRITEBACK_NONE, HF_WRITEBACK_RUNS, HF_WRITEBACK_DONE };
struct hf_part {
  struct hf_sink sink;
  struct hf_leases *leases;
  struct hf_lease *lease; /* NULL: a temporary of its own */
  bool lease_ours;        /* taken by the ingest, ended with it */
  bool moved;             /* published: nothing to remove */
  bool dirty_failed;      /* a flush failed: what is on disk is not known */
  char *dir, *key;
  char id[HF_IDENT_ROOM];
  int fd, note_fd;       /* -1: not open */
  pthread_t writer;      /* that starts write-back beside us */
  _Atomic int writeback; /* HF_WRITEBACK_* */
  /* what is being stored; strings owned */
  struct hf_ingest what;
  char *commit, *path, *etag, *xet_hash, *repo_type, *repo_id;
  /* for the backend while it publishes */
  char name[HF_NAME_ROOM];
  uint64_t size;
};
#define HF_PART_SMALL (1u << 20) /* below, a file is fetched again rather than resumed */
hf_status hf_part_open(hf_call *, struct hf_leases *, const char *dir, const char *key, const struct hf_ingest *,
                       struct hf_part **);
hf_status hf_part_flush(hf_call *, struct hf_part *); /* content durable */
void hf_part_writeback(struct hf_part *);             /* starts it, beside the caller */
void hf_part_writeback_join(struct hf_part *);
hf_status hf_part_move(hf_call *, struct hf_part *, struct hf_dir *to, const char *name); /* atomic; replaces */
void hf_part_end(struct hf_part *, bool keep); /* frees; removes what is left unless kept */
void hf_part_sink(struct hf_part *);           /* sink.c: fills in the functions */
hf_status hf_part_expect(hf_call *, struct hf_part *, uint64_t size);
/* sweep.c: removes what dead writers left in DIR, once per store; and at its end the empty folders of our own. */
void hf_part_sweep(struct hf_root *, const char *dir);
void hf_part_tidy(struct hf_root *, bool upwards);
bool hf_place_know(struct hf_root *, const char *dir, bool sweeping); /* true: was known (and swept) before */
/* A temporary name in DIR/.libhf for a link or a small file of ours. */
struct hf_dir *hf_part_temp(struct hf_root *, const char *dir, char name[HF_IDENT_ROOM]);
/* A descriptor that is none of the three standard ones: where somebody closed those, what the program prints would
 * otherwise end up in a file of the store. -1 with errno stays so. */
int hf_fd_high(int fd);
/* Small file: temporary, content, flush when durable, rename to rel. */
hf_status hf_file_put(hf_call *, struct hf_root *, const char *temp_dir, const char *rel, const void *, size_t,
                      bool durable);
/* Copies a file (by reference where the file system can) into a new temporary; the name comes back. 0 or errno. */
int hf_copy_temp(hf_call *, struct hf_root *, const char *temp_dir, int from, char name[HF_IDENT_ROOM], bool durable);

/* ---- source.c ---------------------------------------------------------------------------------------------------- */
hf_status hf_source_open(hf_call *, int fd, const char *name, struct hf_source **); /* takes fd in every case */

/* ---- flush.c: one durable step for a group ----------------------------------------------------------------------- */
#define HF_FLUSH_ALONE 8 /* up to so many files are flushed one by one */
struct hf_flush {
  struct hf_root *root;
  bool durable, all;
  uint32_t count;
  struct hf_dir *dirs[16];
};
void hf_flush_begin(struct hf_flush *, struct hf_root *, bool durable);
hf_status hf_flush_parts(hf_call *, struct hf_flush *, struct hf_part *const *, uint32_t n);
void hf_flush_dir(struct hf_flush *, struct hf_dir *); /* takes it over */
hf_status hf_flush_end(hf_call *, struct hf_flush *);

/* ---- tree.c, tree_write.c ---------------------------------------------------------------------------------------- */
#define HF_TREE_BYTES (64u << 20)
/* HF_PUT_ENTRY for each file of the listing at rel; HF_ENOTFOUND when there is none or it is not to be trusted. */
hf_status hf_tree_load(hf_call *, struct hf_root *, const char *rel,
                       bool (*present)(void *, const struct hf_tree_entry *), void *arg, hf_slot *);
hf_status hf_tree_store(hf_call *, struct hf_root *, const char *temp_dir, const char *rel, struct hf_table,
                        bool durable);
hf_status hf_tree_text(hf_call *, struct hf_table, char **text, size_t *len); /* HF_EINVAL: not storable */
int hf_tree_by_path(const void *, const void *);
#endif
