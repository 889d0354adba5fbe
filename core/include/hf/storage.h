/* hf/storage.h - where files live on this side: a cache, a plain folder, memory, an object store.
 * One way in (ingest -> sink -> seal -> publish) and four groups of operations: blobs, refs, trees, leases. A backend may
 * lack a group or single functions: leave them NULL and the capability bit unset; the core emulates or does without.
 *
 * What the core promises a backend: arguments are checked before they arrive (repo ids, commits, digests by syntax; paths
 * relative, "/"-separated, no "." or "..", no empty component, valid UTF-8, legal on Linux, macOS and Windows). What a
 * backend promises the core: nothing becomes visible before publish(), publish() is atomic per file, and a success that
 * was returned survives a crash of the process; with HF_ST_DURABLE also a power cut. Correctness never depends on a lease
 * or lock being honoured. Publication order is the core's: blob, then tree, then ref. */
#ifndef HF_STORAGE_H
#define HF_STORAGE_H
#include <hf/plugin.h>
#include <hf/io.h>

enum {
  HF_ST_LOCAL_PATH = 1,   /* published files have a path on this machine */
  HF_ST_RANDOM_WRITE = 2, /* sinks take any order (HF_IO_ANY_ORDER) */
  HF_ST_RESUME = 4,       /* partials and notes survive the process */
  HF_ST_EXCL_PUBLISH = 8, /* of two publishers of one blob exactly one writes; the other finds it there */
  HF_ST_DURABLE = 16,     /* publish, ref_put and tree_put survive a power cut */
  HF_ST_BLOBS = 32,       /* content-addressed: the blob group is there */
  HF_ST_REFS = 64,
  HF_ST_REF_CAS = 128,    /* ref_put compares and swaps atomically */
  HF_ST_TREES = 256,
  HF_ST_LEASES = 512,     /* advisory at least */
  HF_ST_FENCED = 1024,    /* a lease that was taken over fails its old holder's publish with HF_ECONFLICT */
  HF_ST_LIST = 2048,      /* blob_each, ref_each and repo_each list */
  HF_ST_LINKS = 4096,     /* equal content is stored once */
  HF_ST_READ_ONLY = 8192,
  HF_ST_ABSENT = 16384,   /* absent() remembers that a file does not exist */
  HF_ST_PART_WRITE = 32768 /* sinks take only whole parts (part_min..part_max); the core buffers */
};

struct hf_repo { /* FROZEN */
  const char *type; /* "model", "dataset", "space", "kernel" */
  const char *id;   /* "ns/name" or "name" */
};
struct hf_name { /* FROZEN: one file of one commit */
  struct hf_repo repo;
  const char *commit; /* 40 lower-case hex digits; NULL where the function says so */
  const char *path;
};
struct hf_key { /* FROZEN: one blob. Stores may share blobs between repos */
  struct hf_repo repo;
  const char *etag; /* as the Hub names it: 40 or 64 hex digits, or any other tag without quotes */
};

/* What is to be stored, or adopted from what the store already has. */
struct hf_ingest {
  uint32_t struct_size;
  uint32_t flags;          /* HF_IN_* */
  struct hf_name name;
  const char *etag;        /* names the blob */
  const char *xet_hash;    /* 64 hex digits or NULL */
  struct hf_digest digest; /* what the bytes must have; algo NONE: only the length is known */
  uint64_t size;           /* HF_SIZE_UNKNOWN: comes with the bytes */
};
enum {
  HF_IN_FORCE = 1,   /* store again although it is there (a forced download) */
  HF_IN_VIA_XET = 2  /* the bytes came by Xet: a store that shares blobs by xet_hash may share this one */
};

/* One file that the store has, HF_PUT_FILE. Strings live as long as the call's arena. */
struct hf_st_file {
  uint32_t struct_size;
  uint32_t flags;     /* HF_SF_* */
  const char *path;   /* absolute local path for people to open, NULL without HF_ST_LOCAL_PATH */
  const char *commit; /* the commit it is known for, NULL: unknown */
  const char *etag;   /* NULL: unknown */
  uint64_t size;      /* HF_SIZE_UNKNOWN: unknown */
};
enum {
  HF_SF_ABSENT = 1 /* known not to exist in that commit (find only; everything else is empty) */
};

/* One blob, HF_PUT_BLOB. */
struct hf_blob {
  uint32_t struct_size, flags; /* flags: HF_BL_* */
  struct hf_key key;
  uint64_t size, refs;         /* refs: files that show it, UINT64_MAX unknown */
  int64_t mtime_ns, atime_ns;  /* since 1970, 0 unknown */
};
enum { HF_BL_PARTIAL = 1 /* left by an interrupted ingest; blob_remove deletes it */ };

/* One ref, HF_PUT_REF. */
struct hf_ref {
  uint32_t struct_size, reserved;
  struct hf_repo repo;
  const char *name, *commit; /* "main", "refs/pr/3" */
};

/* One file of a commit, HF_PUT_ENTRY and tree_put. */
struct hf_tree_entry {
  uint32_t struct_size;
  uint32_t present;       /* tree_get: the store can show this file now */
  const char *path;
  const char *blob_id;    /* git blob SHA-1, 40 hex digits */
  const char *lfs_sha256; /* 64 hex digits, NULL: not an LFS file */
  const char *xet_hash;   /* 64 hex digits or NULL */
  uint64_t size, lfs_size; /* lfs_size HF_SIZE_UNKNOWN: not said */
};

/* What a store holds, for people who look through it and make room, HF_PUT_HELD; and what expunge is to remove. A repo row
 * comes first, then its refs, revisions and files. Times are those of the newest blob. */
struct hf_held { /* since 1.1 */
  uint32_t struct_size;
  uint32_t what;  /* HF_HELD_* */
  uint32_t flags; /* HF_HF_* */
  uint32_t blob;  /* FILE: equal numbers in one repo are the same bytes on disk */
  struct hf_repo repo;
  const char *commit; /* REVISION, REF, FILE */
  const char *path;   /* REPO, REVISION: local folder or NULL; REF: name; FILE: path in the repo; PARTIAL: name for expunge;
                         PROBLEM: a sentence */
  const char *shared; /* SHARED: name of bytes that repos share; FILE: its bytes are these; else NULL */
  uint64_t size;      /* bytes; REPO, REVISION: each blob once; TOTAL: everything once */
  uint64_t count;     /* REPO: blobs; SHARED: files of repos that are known to need it, UINT64_MAX: not known */
  int64_t mtime_ns, atime_ns;
};
enum {
  HF_HELD_REPO = 1,
  HF_HELD_REVISION = 2,
  HF_HELD_REF = 3,
  HF_HELD_FILE = 4,
  HF_HELD_PARTIAL = 5, /* left by an interrupted ingest */
  HF_HELD_SHARED = 6,
  HF_HELD_PROBLEM = 7, /* a repo that is left out, and why */
  HF_HELD_TOTAL = 8
};
enum {
  HF_HF_LIVE = 1,    /* PARTIAL: somebody writes it now; expunge leaves it alone */
  HF_HF_COUNTED = 2, /* FILE with `shared`: it is one of those that `count` of SHARED counts */
  HF_HF_FOREIGN = 4  /* FILE: its bytes lie outside the store's own places and are never removed */
};
enum { HF_SCAN_FILES = 1 /* file rows too */ };

struct hf_storage {
  struct hf_module m;

  /* uri: "NAME:REST" or "NAME://REST" as the user gave it to --store, at least NAME. The store is used until close();
   * threads as the module says (PER_OBJECT: the store is the object). open creates nothing: the first write does. */
  hf_status (*open)(hf_call *, const char *uri, void **store);
  void (*close)(void *store);

  /* Looking and adopting. find: is this file there, without network, without writing, without locks? name.commit may be
   * NULL for stores without commits. HF_OK + one HF_PUT_FILE, or HF_ENOTFOUND. adopt: show the file from bytes that the
   * store already has under another name (blob by etag, shared store by xet_hash, an unchanged local file), if that needs
   * no fetching; HF_OK + HF_PUT_FILE, or HF_ENOTFOUND. */
  hf_status (*find)(hf_call *, void *store, const struct hf_name *, hf_slot *);
  hf_status (*adopt)(hf_call *, void *store, const struct hf_ingest *, hf_slot *);

  /* Storing. ingest gives a sink; a file interrupted earlier comes back with HF_IO_RESUMES. publish makes n sealed files
   * visible, all bytes flushed first; HF_PUT_FILE for each, in order; seals end in every case. discard ends one seal. */
  hf_status (*ingest)(hf_call *, void *store, const struct hf_ingest *, struct hf_sink **);
  hf_status (*publish)(hf_call *, void *store, void *const *seals, uint32_t n, hf_slot *);
  void (*discard)(void *store, void *seal);

  /* Bytes of a file: by name (find says it is there). */
  hf_status (*open_file)(hf_call *, void *store, const struct hf_name *, struct hf_source **);
  /* set 1: remember that the file does not exist in that commit. */
  hf_status (*absent)(hf_call *, void *store, const struct hf_name *);
  /* Removes one file of one commit (its blob too when nothing else shows it, where the store knows). */
  hf_status (*remove)(hf_call *, void *store, const struct hf_name *);

  /* Blobs: HF_ST_BLOBS. stat: HF_PUT_BLOB or HF_ENOTFOUND. */
  hf_status (*blob_stat)(hf_call *, void *store, const struct hf_key *, hf_slot *);
  hf_status (*blob_open)(hf_call *, void *store, const struct hf_key *, struct hf_source **);
  hf_status (*blob_remove)(hf_call *, void *store, const struct hf_key *);
  hf_status (*blob_each)(hf_call *, void *store, const struct hf_repo *, hf_slot *); /* repo NULL: all */

  /* Refs: HF_ST_REFS. get: HF_PUT_REF or HF_ENOTFOUND (an empty or broken ref is absent). put: `expect` NULL: whatever it
   * was, "": must not exist, else must be this commit (HF_ECONFLICT); commit NULL removes. Written only when different. */
  hf_status (*ref_get)(hf_call *, void *store, const struct hf_repo *, const char *name, hf_slot *);
  hf_status (*ref_put)(hf_call *, void *store, const struct hf_repo *, const char *name, const char *expect,
                       const char *commit);
  hf_status (*ref_each)(hf_call *, void *store, const struct hf_repo *, hf_slot *);

  /* Trees: HF_ST_TREES: the complete listing of a commit, paths ascending. get: HF_PUT_ENTRY for each (present filled in),
   * or HF_ENOTFOUND when the listing is not known or not whole. */
  hf_status (*tree_get)(hf_call *, void *store, const struct hf_repo *, const char *commit, hf_slot *);
  hf_status (*tree_put)(hf_call *, void *store, const struct hf_repo *, const char *commit, struct hf_table entries);

  /* Leases: HF_ST_LEASES: who is fetching this blob. take: waits (check() ends it) until free, expired or its holder dead;
   * beat: keep it alive (the core calls it every ttl/3); drop ends it. */
  hf_status (*lease_take)(hf_call *, void *store, const struct hf_key *, uint32_t ttl_ms, void **lease);
  hf_status (*lease_beat)(hf_call *, void *store, void *lease);
  void (*lease_drop)(void *store, void *lease);

  /* Where writes go: bytes free for new files and an id of the volume (equal ids share their space); HF_PUT_TEXT
   * "AVAILABLE VOLUME". NULL: no limit known. */
  hf_status (*space)(hf_call *, void *store, hf_slot *);
  /* Local folder that shows a commit's files (a snapshot), HF_PUT_TEXT; NULL without HF_ST_LOCAL_PATH. */
  hf_status (*folder)(hf_call *, void *store, const struct hf_repo *, const char *commit, hf_slot *);
  /* Repos in the store: HF_PUT_REF with name "" and the repo; HF_ST_LIST. */
  hf_status (*repo_each)(hf_call *, void *store, hf_slot *);

  uint64_t part_min, part_max; /* HF_ST_PART_WRITE */

  /* Since 1.1, HF_ST_LIST; without them the core makes do with repo_each, ref_each, tree_get, blob_each and the removing
   * functions. scan: HF_PUT_HELD for everything there is (repo NULL: all), without writing; HF_ENOTFOUND: there is no store
   * yet. expunge: removes rows of scan: FILE; REPO with the REVISION rows behind it: everything of the repo, unless there
   * are more revisions: then also the bytes that nothing shows; REVISION with its refs; PARTIAL; SHARED when nobody needs it. Order: what shows bytes before
   * the bytes. Bytes that anything else still shows, or that a running ingest holds, stay. What is gone already is fine. */
  hf_status (*scan)(hf_call *, void *store, const struct hf_repo *, uint32_t flags, hf_slot *);
  hf_status (*expunge)(hf_call *, void *store, struct hf_table rows /* struct hf_held */);
};
#endif
