/* job_shape.c - jobs and Spaces as the reference's data classes hold them: what runs where, with which volumes and ports.
 * Tables of fields; nothing is asked here.
 * Used by jobs, Spaces and webhooks. */
#include "rows.h"

static const struct hf_hub_field volume_fields[] = {
    {.name = "type", .deflt = "\"model\""},
    {.name = "source"},
    {.name = "mount_path", .from = "mountPath", .or_from = "mount_path"},
    {.name = "revision"},
    {.name = "read_only", .from = "readOnly"},
    {.name = "path"}};
hf_status hf_hub_field_volume(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return hf_hub_shape_fields(c, volume_fields, HF_COUNT(volume_fields), v, out);
}

/* An empty list of volumes is none. */
static hf_status volumes(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field list = {.name = "volumes", HF_HUB_FIELDS(volume_fields)};
  json_t *made;
  *out = NULL;
  (void)whole;
  if (!json_array_size(v)) return HF_OK;
  json_t *raw = json_pack("{s:O}", "volumes", v);
  hf_status st = hf_hub_shape_fields(c, &list, 1, raw, &made);
  json_decref(raw);
  if (st != HF_OK) return st;
  *out = json_incref(json_object_get(made, "volumes"));
  json_decref(made);
  return HF_OK;
}

#define RUNS                                                                                                      \
  {.name = "docker_image", .from = "dockerImage", .or_from = "docker_image"},                                     \
      {.name = "space_id", .from = "spaceId", .or_from = "space_id"}, {.name = "command"}, {.name = "arguments"}, \
      {.name = "environment"}, {.name = "secrets"}, {                                                             \
    .name = "flavor"                                                                                              \
  }
#define PORTS                                                      \
  {.name = "retry"}, {.name = "expose", .from = "expose/ports"}, { \
    .name = "expose_public", .from = "expose/portsPublic"          \
  }

static const struct hf_hub_field spec_fields[] = {RUNS,
                                                  {.name = "timeout"},
                                                  {.name = "tags"},
                                                  {.name = "arch"},
                                                  {.name = "labels"},
                                                  {.name = "volumes", .shape = volumes},
                                                  PORTS};
hf_status hf_hub_field_job_spec(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  *out = NULL;
  if (!json_object_size(v)) return HF_OK;
  return hf_hub_shape_fields(c, spec_fields, HF_COUNT(spec_fields), v, out);
}
