/* plugin.c - hub-cache: the cache folder of the reference client as a store, readable and writable by both.
 * Opening creates nothing; lookups take no lock and write nothing, so a read-only cache serves.
 * This file holds the descriptor, the table of functions and opening. */
#include "scan.h"
#include <stdlib.h>
#include <string.h>

static hf_status default_place(hf_call *c, char out[HF_PATH_ROOM]) {
  static const struct {
    const char *key, *below;
  } places[] = {{"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", ""}, {"HF_HOME", "/hub"}};
  const char *home = getenv("HOME"), *xdg = getenv("XDG_CACHE_HOME");
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const char *v = H->option(c, places[i].key);
    if (v && *v && hf_format(out, HF_PATH_ROOM, "%s%s", v, places[i].below)) return HF_OK;
  }
  if (xdg && *xdg && hf_format(out, HF_PATH_ROOM, "%s/huggingface/hub", xdg)) return HF_OK;
  if (home && *home && hf_format(out, HF_PATH_ROOM, "%s/.cache/huggingface/hub", home)) return HF_OK;
  return H->failf(c, HF_EINVAL, "No cache folder is known; set HF_HUB_CACHE or HF_HOME.");
}

static hf_status hub_open(hf_call *c, const char *uri, void **store) {
  char place[HF_PATH_ROOM];
  const char *rest = strchr(uri, ':');
  const char *durability = H->option(c, "durability");
  if (rest && !strncmp(rest, "://", 3)) rest += 2;
  if (rest && rest[1]) {
    if (!hf_format(place, sizeof place, "%s", rest + 1))
      return H->failf(c, HF_EINVAL, "The path of the cache is too long.");
  } else {
    TRY(default_place(c, place));
  }
  struct hub *hub = hf_zalloc(c, sizeof *hub);
  if (!hub) return HF_ENOMEM;
  hf_status st = hf_root_open(c, place, &hub->root);
  if (st != HF_OK) {
    H->release(hub);
    return st;
  }
  hf_leases_open(&hub->leases, hub->root, true);
  hub->durable = !durability || strcmp(durability, "none");
  hub->root->unhurried = !hub->durable;
  hub->links = hf_flag_option(c, "HF_HUB_DISABLE_SYMLINKS") ? 0 : -1;
  hub->share = !hf_flag_option(c, "HF_HUB_DISABLE_SHARED_BLOBS") && !hf_flag_option(c, "HF_HUB_DISABLE_XET");
  hub->offline = hf_flag_option(c, "HF_HUB_OFFLINE");
  *store = hub;
  return HF_OK;
}

static void hub_close(void *store) {
  struct hub *hub = store;
  hf_leases_close(&hub->leases);
  hf_root_close(hub->root);
  H->release(hub);
}

static hf_status hub_lease_take(hf_call *c, void *store, const struct hf_key *key, uint32_t ttl_ms, void **lease) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], dir[HF_NAME_ROOM], etag[HF_NAME_ROOM];
  struct hf_lease *l = NULL;
  TRY(hub_folder(c, &key->repo, folder));
  TRY(hf_etag_name(c, key->etag, etag));
  hf_format(dir, sizeof dir, ".locks/%s", folder);
  TRY(hf_lease_get(c, &hub->leases, dir, etag, ttl_ms, true, &l));
  *lease = l;
  return HF_OK;
}

static hf_status hub_lease_beat(hf_call *c, void *store, void *lease) {
  return hf_lease_renew(c, &((struct hub *)store)->leases, lease);
}

static void hub_lease_drop(void *store, void *lease) {
  hf_lease_end(&((struct hub *)store)->leases, lease);
}

static hf_status hub_space(hf_call *c, void *store, hf_slot *slot) {
  return hf_root_space(c, ((struct hub *)store)->root, slot);
}

static const struct hf_param keys[] = {
    {.name = "HF_HUB_CACHE", .help = "Folder of the cache.", .env = "HF_HUB_CACHE", .type = HF_P_PATH},
    {.name = "HUGGINGFACE_HUB_CACHE",
     .help = "Older name of HF_HUB_CACHE.",
     .env = "HUGGINGFACE_HUB_CACHE",
     .type = HF_P_PATH},
    {.name = "HF_HOME", .help = "Folder that holds the cache as hub/.", .env = "HF_HOME", .type = HF_P_PATH},
    {.name = "HF_HUB_DISABLE_SYMLINKS",
     .help = "Store files in snapshots instead of linking to blobs.",
     .env = "HF_HUB_DISABLE_SYMLINKS",
     .type = HF_P_BOOL},
    {.name = "HF_HUB_DISABLE_SHARED_BLOBS",
     .help = "Do not share Xet files between repositories.",
     .env = "HF_HUB_DISABLE_SHARED_BLOBS",
     .type = HF_P_BOOL},
    {.name = "HF_HUB_DISABLE_XET", .help = "Do without Xet.", .env = "HF_HUB_DISABLE_XET", .type = HF_P_BOOL},
    {.name = "HF_HUB_OFFLINE", .help = "Look only: nothing is tidied up.", .env = "HF_HUB_OFFLINE", .type = HF_P_BOOL},
    {.name = "durability",
     .help = "What a success survives: a power cut, or only the end of the process.",
     .deflt = "full",
     .choices = "full,none",
     .env = "HF_DURABILITY",
     .type = HF_P_CHOICE},
};

#define CAPS                                                                                                       \
  (HF_ST_LOCAL_PATH | HF_ST_RANDOM_WRITE | HF_ST_RESUME | HF_ST_DURABLE | HF_ST_BLOBS | HF_ST_REFS | HF_ST_TREES | \
   HF_ST_LEASES | HF_ST_FENCED | HF_ST_LIST | HF_ST_LINKS | HF_ST_ABSENT)

static const struct hf_storage hub_cache = {
    .m = {.kind = HF_KIND_STORAGE,
          .struct_size = sizeof(struct hf_storage),
          .name = "hub-cache",
          .summary = "cache folder shared with the Python client",
          .threads = HF_THREADS_ANY,
          .priority = 30,
          .caps = CAPS,
          .config = HF_TABLE(keys)},
    .open = hub_open,
    .close = hub_close,
    .find = hub_find,
    .adopt = hub_adopt,
    .ingest = hub_ingest,
    .publish = hub_publish,
    .discard = hub_discard,
    .open_file = hub_open_file,
    .absent = hub_absent,
    .remove = hub_remove,
    .blob_stat = hub_blob_stat,
    .blob_open = hub_blob_open,
    .blob_remove = hub_blob_remove,
    .blob_each = hub_blob_each,
    .ref_get = hub_ref_get,
    .ref_put = hub_ref_put,
    .ref_each = hub_ref_each,
    .tree_get = hub_tree_get,
    .tree_put = hub_tree_put,
    .lease_take = hub_lease_take,
    .lease_beat = hub_lease_beat,
    .lease_drop = hub_lease_drop,
    .space = hub_space,
    .folder = hub_folder_of,
    .repo_each = hub_repo_each,
    .scan = hub_scan,
    .expunge = hub_expunge,
};

static hf_status load(const struct hf_host *host, void **state) {
  hf_posix_host = host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&hub_cache.m};
HF_PLUGIN("hub-cache", "0.1.0", "Apache-2.0", "cache folder shared with the Python client", load, NULL, modules,
          {HF_KIND_STORAGE, 30, CAPS, "hub-cache", ""});
