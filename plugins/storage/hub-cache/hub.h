/* hub.h - what the parts of the hub-cache backend share: the store, the names of its
 * layout, pointers, the shared store. The layout is that of the reference client's cache,
 * so both can use one folder at the same time. Private to plugins/storage/hub-cache. */
#ifndef HF_HUB_CACHE_H
#define HF_HUB_CACHE_H
#include "posix.h"

#define HUB_FOLDER_ROOM 200 /* "models--ns--name" */

struct hub {
  struct hf_root *root;
  struct hf_leases leases;
  bool durable;
  bool share;          /* the shared store may be used */
  bool offline;        /* nothing is tidied up either */
  _Atomic int links;   /* symbolic links: 1 work, 0 do not, -1 not known yet; set after the first real try */
  _Atomic bool tagged; /* CACHEDIR.TAG is there */
};

/* ---- layout.c ---- */
hf_status hub_folder(hf_call *, const struct hf_repo *, char out[HUB_FOLDER_ROOM]);
hf_status hub_rel(hf_call *, const struct hub *, char out[HF_PATH_ROOM], const char *fmt, ...) HF_PRINTF(4, 5);
hf_status hub_name_check(hf_call *, const struct hf_name *);
const char *hub_path(hf_call *, const struct hub *,
                     const char *rel); /* absolute, in the call's arena; NULL: no memory */
void hub_tag(struct hub *);
void hub_seen(struct hub *, const char *folder); /* left-overs of this repo are looked for when the store is closed */
/* Takes a folder name apart; false when it is no repo's. id: room for the name. */
bool hub_repo_of(const char *folder, const char **type, char id[HUB_FOLDER_ROOM]);

/* ---- look.c ---- */
hf_status hub_find(hf_call *, void *, const struct hf_name *, hf_slot *);
hf_status hub_open_file(hf_call *, void *, const struct hf_name *, struct hf_source **);
hf_status hub_absent(hf_call *, void *, const struct hf_name *);
hf_status hub_folder_of(hf_call *, void *, const struct hf_repo *, const char *commit, hf_slot *);
/* Name of the blob that a pointer shows, from its link text; false when it is a real file. */
bool hub_pointer_etag(struct hub *, const char *rel, char etag[HF_NAME_ROOM]);

/* ---- publish.c ---- */
hf_status hub_adopt(hf_call *, void *, const struct hf_ingest *, hf_slot *);
hf_status hub_ingest(hf_call *, void *, const struct hf_ingest *, struct hf_sink **);
hf_status hub_publish(hf_call *, void *, void *const *seals, uint32_t n, hf_slot *);
void hub_discard(void *, void *seal);

/* ---- pointer.c: the file of a snapshot that shows a blob. fresh: just stored, nothing else shows it ---- */
hf_status hub_point(hf_call *, struct hub *, const char *folder, const char *commit, const char *path, const char *etag,
                    bool fresh, struct hf_flush *);

/* ---- shared.c: the store of Xet files that repos of one cache share; every failure is a plain "no" ---- */
bool hub_shared_link(hf_call *, struct hub *, const char *folder, const char *etag, const char *xet_hash,
                     uint64_t size);
bool hub_shared_publish(hf_call *, struct hub *, const char *folder, const char *etag, const char *xet_hash,
                        uint64_t size, bool force);
/* Hash of the shared file that this blob is a link to; false when it is none. */
bool hub_shared_hash(struct hub *, const char *folder, const char *etag, char hash[65]);
void hub_shared_sweep(hf_call *, struct hub *, const char *hash);

/* ---- refs.c ---- */
hf_status hub_ref_get(hf_call *, void *, const struct hf_repo *, const char *name, hf_slot *);
hf_status hub_ref_put(hf_call *, void *, const struct hf_repo *, const char *name, const char *expect,
                      const char *commit);
hf_status hub_ref_each(hf_call *, void *, const struct hf_repo *, hf_slot *);
hf_status hub_tree_get(hf_call *, void *, const struct hf_repo *, const char *commit, hf_slot *);
hf_status hub_tree_put(hf_call *, void *, const struct hf_repo *, const char *commit, struct hf_table);

/* ---- blobs.c ---- */
hf_status hub_blob_stat(hf_call *, void *, const struct hf_key *, hf_slot *);
hf_status hub_blob_open(hf_call *, void *, const struct hf_key *, struct hf_source **);
hf_status hub_blob_remove(hf_call *, void *, const struct hf_key *);
hf_status hub_blob_each(hf_call *, void *, const struct hf_repo *, hf_slot *);
/* Removes our own unfinished bytes of a blob, unless a living process holds them; false: nothing was removed. */
bool hub_partial_drop(hf_call *, struct hub *, const char *folder, const char *name);
hf_status hub_remove(hf_call *, void *, const struct hf_name *);
hf_status hub_repo_each(hf_call *, void *, hf_slot *);
#endif
