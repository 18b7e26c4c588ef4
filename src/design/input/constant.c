/* Expressions without columns. */
#include "design/input/resolver.h"
#include <string.h>

bool input_is_constant(json_t *node)
{
    const char *member = NULL;
    json_t *value = NULL;
    size_t at = 0;
    if (json_is_array(node)) {
        json_array_foreach(node, at, value)
        {
            if (!input_is_constant(value)) {
                return false;
            }
        }
    } else if (json_is_object(node)) {
        if (tree_is(node, "ColumnRef") != NULL || tree_is(node, "SubLink") != NULL) {
            return false;
        }
        json_object_foreach(node, member, value)
        {
            if (!input_is_constant(value)) {
                return false;
            }
        }
    }
    return true;
}

static bool constant_append(json_t *node, uint32_t depth, struct buffer *out);

static bool append_list(json_t *list, uint32_t depth, struct buffer *out)
{
    json_t *node = NULL;
    size_t at = 0;
    json_array_foreach(list, at, node)
    {
        buffer_append_string(out, at > 0 ? ", " : "");
        if (!constant_append(node, depth, out)) {
            return false;
        }
    }
    return true;
}

/* CURRENT_DATE and its like: SVFOP_CURRENT_DATE */
static bool append_clock(json_t *function, struct buffer *out)
{
    static const char lead[] = "SVFOP_";
    const char *name = tree_text(function, "op");
    size_t skipped = strncmp(name, lead, sizeof lead - 1) == 0 ? sizeof lead - 1 : 0;
    buffer_append_string(out, name + skipped);
    return skipped > 0;
}

static bool append_literal(json_t *constant, struct buffer *out)
{
    json_t *truth = json_object_get(constant, "boolval");
    json_t *text = json_object_get(constant, "sval");
    int64_t number = 0;
    if (truth != NULL) {
        buffer_append_string(out, tree_flag(truth, "boolval") ? "true" : "false");
    } else if (tree_flag(constant, "isnull")) {
        buffer_append_string(out, "NULL");
    } else if (text != NULL) {
        const char *value = tree_text(text, "sval");
        buffer_append_byte(out, '\'');
        for (; *value != '\0'; value++) {
            buffer_append_string(out, *value == '\'' ? "'" : "");
            buffer_append_byte(out, *value);
        }
        buffer_append_byte(out, '\'');
    } else if (json_object_get(constant, "ival") != NULL) {
        number = json_integer_value(json_object_get(json_object_get(constant, "ival"), "ival"));
        buffer_append_int64(out, number);
    } else {
        json_t *digits = json_object_get(constant, "fval");
        buffer_append_string(out, tree_text(digits, "fval"));
    }
    return true;
}

static bool append_cast(json_t *cast, uint32_t depth, struct buffer *out)
{
    const char *type = tree_last_name(json_object_get(json_object_get(cast, "typeName"), "names"));
    if (!constant_append(json_object_get(cast, "arg"), depth, out)) {
        return false;
    }
    buffer_format(out, "::%s", type);
    return true;
}

static bool constant_append(json_t *node, uint32_t depth, struct buffer *out)
{
    enum { DEPTH_MAX = 16 };
    json_t *body = NULL;
    if (depth == DEPTH_MAX) {
        return false;
    }
    if ((body = tree_is(node, "A_Const")) != NULL) {
        return append_literal(body, out);
    }
    if ((body = tree_is(node, "SQLValueFunction")) != NULL) {
        return append_clock(body, out);
    }
    if ((body = tree_is(node, "TypeCast")) != NULL) {
        return append_cast(body, depth + 1, out);
    }
    if ((body = tree_is(node, "FuncCall")) != NULL) {
        buffer_format(out, "%s(", tree_last_name(json_object_get(body, "funcname")));
        bool whole = append_list(json_object_get(body, "args"), depth + 1, out);
        buffer_append_byte(out, ')');
        return whole;
    }
    body = tree_is(node, "A_Expr");
    json_t *left = json_object_get(body, "lexpr");
    if (left == NULL || strcmp(tree_text(body, "kind"), "AEXPR_OP") != 0 ||
        !constant_append(left, depth + 1, out)) {
        return false;
    }
    buffer_format(out, " %s ", tree_last_name(json_object_get(body, "name")));
    return constant_append(json_object_get(body, "rexpr"), depth + 1, out);
}

const char *input_constant_operand(json_t *node, struct arena *arena)
{
    json_t *plain = tree_plain(node);
    json_t *literal = tree_is(plain, "A_Const");
    bool truth = json_object_get(literal, "boolval") != NULL;
    if (tree_is(plain, "ParamRef") != NULL || (literal != NULL && !truth)) {
        return NULL;
    }
    struct buffer text = {0};
    bool whole = constant_append(node, 0, &text);
    const char *copy = whole ? arena_copy_string(arena, buffer_string(&text)) : NULL;
    buffer_free(&text);
    return copy;
}
