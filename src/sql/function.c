#include "sql/function.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In the order of strcasecmp. */
/* clang-format off */
static const char *const harmless[] = {
    "abs", "acos", "adddate", "addtime", "age", "all", "any", "array", "array_agg", "array_append",
    "array_cat", "array_length", "array_position", "array_remove", "array_replace", "array_to_json",
    "array_to_string", "as", "ascii", "asin", "atan", "atan2", "avg", "between", "bigint", "bin",
    "binary", "bit", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bool_and",
    "bool_or", "both", "btrim", "but", "by", "cardinality", "case", "cast", "cbrt", "ceil",
    "ceiling", "char", "char_length", "character", "character_length", "charset", "chr",
    "clock_timestamp", "coalesce", "coercibility", "col_description", "collate", "collation",
    "concat", "concat_ws", "conflict", "connection_id", "conv", "convert", "convert_from",
    "convert_to", "convert_tz", "cos", "cot", "count", "crc32", "cross", "cube", "cume_dist",
    "curdate", "current_catalog", "current_database", "current_date", "current_schema",
    "current_schemas", "current_setting", "current_time", "current_timestamp", "current_user",
    "currval", "curtime", "database", "date", "date_add", "date_bin", "date_diff", "date_format",
    "date_part", "date_sub", "date_trunc", "datediff", "datetime", "day", "dayname", "dayofmonth",
    "dayofweek", "dayofyear", "decimal", "decode", "default", "degrees", "dense_rank", "distinct",
    "div", "else", "elseif", "elt", "encode", "enum", "enum_range", "escape", "every", "except",
    "exists", "exp", "extract", "fetch", "field", "filter", "find_in_set", "first_value", "float",
    "floor", "for", "force", "format", "format_type", "found_rows", "from", "from_base64",
    "from_days", "from_unixtime", "full", "gen_random_uuid", "generate_series", "get_format",
    "glob", "greatest", "group", "group_concat", "grouping", "has_database_privilege",
    "has_schema_privilege", "has_table_privilege", "having", "hex", "hour", "if", "ifnull",
    "ignore", "iif", "ilike", "in", "index", "inet_aton", "inet_ntoa", "initcap", "inner", "insert",
    "instr", "int", "integer", "intersect", "interval", "is", "isnull", "join", "json", "json_agg",
    "json_array", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_arrayagg", "json_build_array", "json_build_object", "json_contains", "json_each",
    "json_each_text", "json_extract", "json_extract_path", "json_extract_path_text",
    "json_group_array", "json_group_object", "json_insert", "json_keys", "json_length",
    "json_object", "json_object_agg", "json_object_keys", "json_objectagg", "json_patch",
    "json_populate_record", "json_quote", "json_remove", "json_replace", "json_search", "json_set",
    "json_strip_nulls", "json_table", "json_to_record", "json_to_recordset", "json_tree",
    "json_type", "json_typeof", "json_unquote", "json_valid", "json_value", "jsonb", "jsonb_agg",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_each", "jsonb_each_text", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_query", "jsonb_populate_record",
    "jsonb_pretty", "jsonb_set", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_typeof", "julianday", "justify_days", "justify_hours", "justify_interval", "key", "lag",
    "last_day", "last_insert_rowid", "last_value", "lastval", "lateral", "lcase", "lead", "leading",
    "least", "left", "length", "like", "limit", "ln", "localtime", "localtimestamp", "locate",
    "log", "log10", "log2", "lower", "lpad", "ltrim", "make_date", "make_interval", "make_time",
    "make_timestamp", "make_timestamptz", "makedate", "maketime", "match", "materialized", "max",
    "md5", "microsecond", "mid", "min", "minute", "mod", "mode", "month", "monthname", "name_const",
    "natural", "nchar", "not", "now", "nth_value", "ntile", "nullif", "numeric", "nvarchar",
    "obj_description", "oct", "octet_length", "offset", "on", "or", "ord", "order", "outer", "over",
    "overlaps", "overlay", "partition", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_column_size", "pg_database_size", "pg_get_constraintdef", "pg_get_expr",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_serial_sequence", "pg_get_viewdef",
    "pg_indexes_size", "pg_is_in_recovery", "pg_relation_size", "pg_size_pretty", "pg_table_size",
    "pg_total_relation_size", "pg_typeof", "pi", "position", "pow", "power", "printf", "quarter",
    "quote", "quote_ident", "quote_literal", "quote_nullable", "radians", "rand", "random", "range",
    "rank", "real", "recursive", "regexp", "regexp_instr", "regexp_like", "regexp_match",
    "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table",
    "regexp_substr", "repeat", "replace", "returning", "reverse", "right", "rlike", "rollup",
    "round", "row", "row_count", "row_number", "row_to_json", "rows", "rpad", "rtrim", "schema",
    "sec_to_time", "second", "select", "session_user", "set", "sets", "sha", "sha1", "sha2",
    "sha224", "sha256", "sha384", "sha512", "sign", "signed", "similar", "sin", "smallint", "some",
    "soundex", "sounds", "space", "split_part", "sqlite_version", "sqrt", "starts_with",
    "statement_timestamp", "std", "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp",
    "strftime", "string_agg", "string_to_array", "string_to_table", "strpos", "subdate", "substr",
    "substring", "substring_index", "subtime", "sum", "sysdate", "system_user", "table", "tan",
    "then", "time", "time_format", "time_to_sec", "timediff", "timeofday", "timestamp",
    "timestampadd", "timestampdiff", "timestamptz", "timetz", "to_base64", "to_char", "to_date",
    "to_days", "to_hex", "to_json", "to_jsonb", "to_number", "to_regclass", "to_regtype",
    "to_seconds", "to_timestamp", "to_tsquery", "to_tsvector", "total", "total_changes", "trailing",
    "transaction_timestamp", "translate", "trim", "trunc", "truncate", "txid_current", "typeof",
    "ucase", "unhex", "unicode", "union", "unistr", "unix_timestamp", "unixepoch", "unnest",
    "unsigned", "upper", "use_index", "user", "using", "utc_date", "utc_time", "utc_timestamp",
    "uuid", "uuid_short", "values", "var_pop", "var_samp", "varbinary", "varbit", "varchar",
    "variance", "version", "week", "weekday", "weekofyear", "when", "where", "width_bucket",
    "window", "with", "within", "xmlagg", "xmlconcat", "xmlelement", "xmlforest", "xmlparse", "xor",
    "year", "yearweek", "zeroblob",
};
/* clang-format on */

static int compare_word(const void *key, const void *element)
{
    const struct sql_token *word = key;
    const char *name = *(const char *const *)element;
    int order = strncasecmp(word->text, name, word->length);
    return order != 0 ? order : name[word->length] == '\0' ? 0 : -1;
}

bool sql_function_changes_nothing(const struct sql_token *word)
{
    return bsearch(word, harmless, sizeof harmless / sizeof harmless[0], sizeof harmless[0],
                   compare_word) != NULL;
}

bool sql_function_is_stable(const struct sql_token *word)
{
    static const char *const volatiles[] = {
        "clock_timestamp", "gen_random_uuid", "random",     "rand",    "timeofday", "uuid",
        "uuid_short",      "sysdate",         "row_number", "currval", "lastval",   "unixepoch"};
    for (size_t i = 0; i < sizeof volatiles / sizeof volatiles[0]; i++) {
        if (sql_token_is_word(word, volatiles[i])) {
            return false;
        }
    }
    return sql_function_changes_nothing(word);
}
