#include "sql/function.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In the order of strcasecmp. */
/* clang-format off */
static const char *const harmless[] = {
    "abbrev", "abs", "acos", "acosd", "acosh", "adddate", "addtime", "age", "all", "any",
    "any_value", "area", "array", "array_agg", "array_append", "array_cat", "array_dims",
    "array_fill", "array_length", "array_lower", "array_ndims", "array_position", "array_positions",
    "array_prepend", "array_remove", "array_replace", "array_to_json", "array_to_string",
    "array_to_tsvector", "array_upper", "as", "ascii", "asin", "asind", "asinh", "atan", "atan2",
    "atan2d", "atand", "atanh", "avg", "between", "bigint", "bin", "bin_to_uuid", "binary", "bit",
    "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bool", "bool_and", "bool_or",
    "both", "box", "broadcast", "btrim", "but", "by", "cardinality", "case", "cast", "cbrt", "ceil",
    "ceiling", "center", "char", "char_length", "character", "character_length", "charset", "chr",
    "cidr", "circle", "clock_timestamp", "coalesce", "coercibility", "col_description", "collate",
    "collation", "concat", "concat_ws", "conflict", "connection_id", "conv", "convert",
    "convert_from", "convert_to", "convert_tz", "corr", "cos", "cosd", "cosh", "cot", "count",
    "covar_pop", "covar_samp", "crc32", "cross", "cube", "cume_dist", "curdate", "current_catalog",
    "current_database", "current_date", "current_schema", "current_schemas", "current_setting",
    "current_time", "current_timestamp", "current_user", "currval", "curtime", "database", "date",
    "date_add", "date_bin", "date_diff", "date_format", "date_part", "date_sub", "date_trunc",
    "datediff", "datemultirange", "daterange", "datetime", "day", "dayname", "dayofmonth",
    "dayofweek", "dayofyear", "decimal", "decode", "default", "degrees", "dense_rank", "diameter",
    "distinct", "div", "else", "elseif", "elt", "encode", "enum", "enum_first", "enum_last",
    "enum_range", "escape", "every", "except", "exists", "exp", "export_set", "extract",
    "factorial", "family", "fetch", "field", "filter", "find_in_set", "first_value", "float",
    "float4", "float8", "floor", "for", "force", "format", "format_type", "found_rows", "from",
    "from_base64", "from_days", "from_unixtime", "full", "gcd", "gen_random_uuid",
    "generate_series", "generate_subscripts", "get_bit", "get_byte", "get_format",
    "getdatabaseencoding", "glob", "greatest", "group", "group_concat", "grouping",
    "has_any_column_privilege", "has_column_privilege", "has_database_privilege",
    "has_function_privilege", "has_language_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "hashtext", "hashtextextended", "having",
    "hex", "host", "hostmask", "hour", "if", "ifnull", "ignore", "iif", "ilike", "in", "index",
    "inet", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_client_addr", "inet_merge", "inet_ntoa",
    "inet_server_addr", "initcap", "inner", "insert", "instr", "int", "int2", "int4",
    "int4multirange", "int4range", "int8", "int8multirange", "int8range", "integer", "intersect",
    "interval", "is", "is_uuid", "isempty", "isfinite", "isnull", "join", "json", "json_agg",
    "json_array", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_arrayagg", "json_build_array", "json_build_object", "json_contains", "json_depth",
    "json_each", "json_each_text", "json_exists", "json_extract", "json_extract_path",
    "json_extract_path_text", "json_group_array", "json_group_object", "json_insert", "json_keys",
    "json_length", "json_merge_patch", "json_merge_preserve", "json_object", "json_object_agg",
    "json_object_keys", "json_objectagg", "json_overlaps", "json_patch", "json_populate_record",
    "json_populate_recordset", "json_pretty", "json_query", "json_quote", "json_remove",
    "json_replace", "json_scalar", "json_search", "json_serialize", "json_set", "json_strip_nulls",
    "json_table", "json_to_record", "json_to_recordset", "json_to_tsvector", "json_tree",
    "json_type", "json_typeof", "json_unquote", "json_valid", "json_value", "jsonb", "jsonb_agg",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_concat", "jsonb_contained", "jsonb_contains", "jsonb_delete",
    "jsonb_delete_path", "jsonb_each", "jsonb_each_text", "jsonb_exists", "jsonb_exists_all",
    "jsonb_exists_any", "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert",
    "jsonb_object", "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists",
    "jsonb_path_exists_tz", "jsonb_path_match", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_first", "jsonb_path_query_tz", "jsonb_populate_record",
    "jsonb_populate_recordset", "jsonb_pretty", "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls",
    "jsonb_to_record", "jsonb_to_recordset", "jsonb_to_tsvector", "jsonb_typeof", "julianday",
    "justify_days", "justify_hours", "justify_interval", "key", "lag", "last_day",
    "last_insert_rowid", "last_value", "lastval", "lateral", "lcase", "lcm", "lead", "leading",
    "least", "left", "length", "like", "limit", "line", "ln", "localtime", "localtimestamp",
    "locate", "log", "log10", "log2", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim",
    "macaddr", "make_date", "make_interval", "make_set", "make_time", "make_timestamp",
    "make_timestamptz", "makedate", "maketime", "masklen", "match", "materialized", "max", "md5",
    "microsecond", "mid", "min", "min_scale", "minute", "mod", "mode", "month", "monthname",
    "multirange", "name", "name_const", "natural", "nchar", "netmask", "network", "normalize",
    "not", "now", "npoints", "nth_value", "ntile", "nullif", "num_nonnulls", "num_nulls", "numeric",
    "nummultirange", "numnode", "numrange", "nvarchar", "obj_description", "oct", "octet_length",
    "offset", "oid", "on", "or", "ord", "order", "outer", "over", "overlaps", "overlay",
    "parse_ident", "partition", "path", "percent_rank", "percentile_cont", "percentile_disc",
    "period_add", "period_diff", "pg_backend_pid", "pg_collation_for", "pg_column_compression",
    "pg_column_size", "pg_current_xact_id_if_assigned", "pg_database_size", "pg_describe_object",
    "pg_encoding_to_char", "pg_filenode_relation", "pg_function_is_visible", "pg_get_constraintdef",
    "pg_get_expr", "pg_get_function_arguments", "pg_get_function_identity_arguments",
    "pg_get_function_result", "pg_get_functiondef", "pg_get_indexdef", "pg_get_object_address",
    "pg_get_partkeydef", "pg_get_ruledef", "pg_get_serial_sequence", "pg_get_statisticsobjdef",
    "pg_get_triggerdef", "pg_get_userbyid", "pg_get_viewdef", "pg_has_role", "pg_identify_object",
    "pg_index_column_has_property", "pg_indexes_size", "pg_is_in_recovery",
    "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree", "pg_relation_filenode",
    "pg_relation_size", "pg_size_bytes", "pg_size_pretty", "pg_table_is_visible", "pg_table_size",
    "pg_total_relation_size", "pg_type_is_visible", "pg_typeof", "phraseto_tsquery", "pi",
    "plainto_tsquery", "point", "polygon", "position", "pow", "power", "printf", "quarter", "quote",
    "quote_ident", "quote_literal", "quote_nullable", "radians", "radius", "rand", "random",
    "range", "range_agg", "range_intersect_agg", "range_merge", "rank", "real", "recursive",
    "regclass", "regexp", "regexp_count", "regexp_instr", "regexp_like", "regexp_match",
    "regexp_matches", "regexp_replace", "regexp_split_to_array", "regexp_split_to_table",
    "regexp_substr", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2",
    "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat", "replace", "returning", "reverse",
    "right", "rlike", "rollup", "round", "row", "row_count", "row_number", "row_security_active",
    "row_to_json", "rows", "rpad", "rtrim", "scale", "schema", "sec_to_time", "second", "select",
    "session_user", "set", "set_bit", "set_byte", "set_masklen", "sets", "setweight", "sha", "sha1",
    "sha2", "sha224", "sha256", "sha384", "sha512", "shobj_description", "sign", "signed",
    "similar", "sin", "sind", "sinh", "slope", "smallint", "some", "soundex", "sounds", "space",
    "split_part", "sqlite_version", "sqrt", "starts_with", "statement_timestamp", "std", "stddev",
    "stddev_pop", "stddev_samp", "str_to_date", "strcmp", "strftime", "string_agg",
    "string_to_array", "string_to_table", "strip", "strpos", "subdate", "substr", "substring",
    "substring_index", "subtime", "sum", "sysdate", "system_user", "table", "tan", "tand", "tanh",
    "text", "then", "time", "time_format", "time_to_sec", "timediff", "timeofday", "timestamp",
    "timestampadd", "timestampdiff", "timestamptz", "timetz", "timezone", "to_base64", "to_char",
    "to_date", "to_days", "to_hex", "to_json", "to_jsonb", "to_number", "to_regclass",
    "to_regcollation", "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc",
    "to_regprocedure", "to_regrole", "to_regtype", "to_seconds", "to_timestamp", "to_tsquery",
    "to_tsvector", "total", "total_changes", "trailing", "transaction_timestamp", "translate",
    "trim", "trim_array", "trim_scale", "trunc", "truncate", "ts_delete", "ts_filter",
    "ts_headline", "ts_lexize", "ts_rank", "ts_rank_cd", "tsmultirange", "tsrange",
    "tstzmultirange", "tstzrange", "tsvector_to_array", "txid_current", "txid_current_if_assigned",
    "typeof", "ucase", "unhex", "unicode", "union", "unistr", "unix_timestamp", "unixepoch",
    "unnest", "unsigned", "upper", "upper_inc", "upper_inf", "use_index", "user", "using",
    "utc_date", "utc_time", "utc_timestamp", "uuid", "uuid_short", "uuid_to_bin", "values",
    "var_pop", "var_samp", "varbinary", "varbit", "varchar", "variance", "version",
    "websearch_to_tsquery", "week", "weekday", "weekofyear", "weight_string", "when", "where",
    "width_bucket", "window", "with", "within", "xml_is_well_formed", "xmlagg", "xmlcomment",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlparse", "xmlserialize", "xor", "xpath",
    "xpath_exists", "year", "yearweek", "zeroblob",
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
