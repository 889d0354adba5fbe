/* people.c - users and organizations as the reference's data classes hold them.
 * Tables of fields; nothing is asked here. What is not said of them is empty or absent.
 * Used by papers and benchmarks. */
#include "rows.h"

#define ORG_FIELDS                                                                                               \
  {.name = "avatar_url", .from = "avatarUrl", .deflt = "\"\""}, {.name = "name", .deflt = "\"\""},               \
      {.name = "fullname", .deflt = "\"\""}, {.name = "details"}, {.name = "is_verified", .from = "isVerified"}, \
      {.name = "is_following", .from = "isFollowing"}, {.name = "num_users", .from = "numUsers"},                \
      {.name = "num_models", .from = "numModels"}, {.name = "num_spaces", .from = "numSpaces"},                  \
      {.name = "num_datasets", .from = "numDatasets"}, {.name = "num_followers", .from = "numFollowers"},        \
      {.name = "num_papers", .from = "numPapers"}, {                                                             \
    .name = "plan"                                                                                               \
  }
static const struct hf_hub_field org_fields[] = {ORG_FIELDS};

#define USER_FIELDS(login)                                                                                \
  {.name = "username", .from = login, .deflt = "\"\""}, {.name = "fullname", .deflt = "\"\""},            \
      {.name = "avatar_url", .from = "avatarUrl", .deflt = "\"\""}, {.name = "details"},                  \
      {.name = "is_following", .from = "isFollowing"}, {.name = "is_pro", .from = "isPro"},               \
      {.name = "num_models", .from = "numModels"}, {.name = "num_datasets", .from = "numDatasets"},       \
      {.name = "num_spaces", .from = "numSpaces"}, {.name = "num_discussions", .from = "numDiscussions"}, \
      {.name = "num_papers", .from = "numPapers"}, {.name = "num_upvotes", .from = "numUpvotes"},         \
      {.name = "num_likes", .from = "numLikes"}, {.name = "num_following", .from = "numFollowing"},       \
      {.name = "num_followers", .from = "numFollowers"}, {                                                \
    .name = "orgs", HF_HUB_FIELDS(org_fields), .deflt = "[]"                                              \
  }
static const struct hf_hub_field user_fields[] = {USER_FIELDS("user")};
static const struct hf_hub_field named_fields[] = {USER_FIELDS("name")};

/* An empty object is nobody. */
static hf_status shaped(hf_call *c, const struct hf_hub_field *fields, size_t n, const json_t *v, json_t **out) {
  *out = NULL;
  return json_object_size(v) ? hf_hub_shape_fields(c, fields, n, v, out) : HF_OK;
}

hf_status hf_hub_field_user(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return shaped(c, user_fields, HF_COUNT(user_fields), v, out);
}

hf_status hf_hub_field_named(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return shaped(c, named_fields, HF_COUNT(named_fields), v, out);
}

hf_status hf_hub_field_org(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return shaped(c, org_fields, HF_COUNT(org_fields), v, out);
}
