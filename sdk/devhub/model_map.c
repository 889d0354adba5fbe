/* model_map.c - which providers serve a model: every one that the router carries, unless a program said otherwise.
 * The task is the one of the model's card; a text model is one to talk with.
 * POST /_devhub/mapping {"repo", "mapping"} replaces the mapping of a repo; mapping null: as it was. */
#include "body.h"
#include "model.h"
#include <string.h>

static const char *const providers[] = {"hf-inference", "baseten",        "cerebras",     "cohere",    "deepinfra",
                                        "fal-ai",       "featherless-ai", "fireworks-ai", "groq",      "novita",
                                        "nscale",       "ovhcloud",       "publicai",     "replicate", "scaleway",
                                        "together",     "wavespeed",      "zai-org"};

json_t *dh_model_mapping(struct server *s, const char *repo, const char *task) {
  pthread_mutex_lock(&s->mapping_lock);
  json_t *said = json_deep_copy(json_object_get(s->mapping, repo)), *all = json_object();
  pthread_mutex_unlock(&s->mapping_lock);
  if (said || !task) {
    json_decref(said ? all : NULL);
    return said ? said : all;
  }
  bool text = strcmp(task, "text-generation") == 0 || strcmp(task, "image-text-to-text") == 0;
  for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
    json_object_set_new(
        all, providers[i],
        json_pack("{s:s, s:s, s:s}", "status", "live", "providerId", repo, "task", text ? "conversational" : task));
  return all;
}

void dh_control_mapping(struct request *r) {
  json_t *body = dh_body_object(r);
  if (!body) return;
  const char *repo = dh_json_text(body, "repo", NULL);
  json_t *mapping = json_object_get(body, "mapping");
  struct server *s = r->server;
  if (!repo || (!json_is_object(mapping) && !json_is_array(mapping) && !json_is_null(mapping))) {
    dh_reply_error(r, 400, NULL, "A mapping needs \"repo\" and \"mapping\", an object of providers or null");
  } else {
    pthread_mutex_lock(&s->mapping_lock);
    if (!s->mapping) s->mapping = json_object();
    if (json_is_null(mapping))
      json_object_del(s->mapping, repo);
    else
      json_object_set(s->mapping, repo, mapping);
    pthread_mutex_unlock(&s->mapping_lock);
    dh_reply_json(r, 200, json_pack("{s:s}", "repo", repo));
  }
  json_decref(body);
}
