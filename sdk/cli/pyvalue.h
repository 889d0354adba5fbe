/* pyvalue.h - JSON values spelled as the reference's standard library spells them: json.dumps, str and repr.
 * Scripts compare these bytes, so separators, escapes and the shortest form of a float are part of the contract.
 * Key order is that of the object. */
#ifndef CLI_PYVALUE_H
#define CLI_PYVALUE_H
#include <jansson.h>
#include <stdio.h>

/* {"a": [1, 2.0], "b": "\u00e9"}; indent > 0: one member per line. */
void cli_write_json(FILE *, const json_t *, int indent);
/* str(): text as it is, None, True, 1.5, ['a', {'b': 1}] */
void cli_write_str(FILE *, const json_t *);
void cli_write_float(FILE *, double);
#endif
