/* pack.c - the Hub's operations as one plugin: its task packs by file, described as any hf-NAME.so describes itself.
 * Each file of operations gives one module of rows; a new file is added here.
 * Built into the library, so that a command that stays local opens no file. */
#define HF_STATIC_PLUGIN hub
#include "hub.h"

static hf_status load(const struct hf_host *host, void **state) {
  (void)host;
  *state = NULL;
  return HF_OK;
}

extern const struct hf_storage hf_hub_pipe_store;

/* One a line, by name: packs are added by many hands. */
// clang-format off
static const struct hf_module *const modules[] = {
    &hf_hub_tasks_auth.m,
    &hf_hub_tasks_buckets.m,
    &hf_hub_tasks_cache.m,
    &hf_hub_tasks_card.m,
    &hf_hub_tasks_collections.m,
    &hf_hub_tasks_commit.m,
    &hf_hub_tasks_cp.m,
    &hf_hub_tasks_dataset_viewer.m,
    &hf_hub_tasks_discussions.m,
    &hf_hub_tasks_download.m,
    &hf_hub_tasks_endpoints.m,
    &hf_hub_tasks_inference.m,
    &hf_hub_tasks_info.m,
    &hf_hub_tasks_jobs.m,
    &hf_hub_tasks_leaderboard.m,
    &hf_hub_tasks_lfs.m,
    &hf_hub_tasks_papers.m,
    &hf_hub_tasks_plugin.m,
    &hf_hub_tasks_repos.m,
    &hf_hub_tasks_repos_access.m,
    &hf_hub_tasks_repos_admin.m,
    &hf_hub_tasks_spaces.m,
    &hf_hub_tasks_spaces_live.m,
    &hf_hub_tasks_upload.m,
    &hf_hub_tasks_webhooks.m,
    &hf_hub_pipe_store.m,
};
// clang-format on

HF_PLUGIN("hub", "0.1.0", "Apache-2.0", "Operations of the Hugging Face Hub", load, NULL, modules,
          {HF_KIND_TASKS, 10, 0, "hub-download", "download"});
