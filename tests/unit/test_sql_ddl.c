/* Tables of DDL files: a case is a text, its tables in a short form, and what was not understood.
 */
#include "sql/ddl.h"
#include "support.h"
#include <string.h>

static const char *const kind_names[VALUE_KIND_COUNT] = {
    [VALUE_BOOL] = "bool",     [VALUE_INT64] = "int",           [VALUE_UINT64] = "uint",
    [VALUE_FLOAT32] = "float", [VALUE_FLOAT64] = "double",      [VALUE_DECIMAL] = "decimal",
    [VALUE_TEXT] = "text",     [VALUE_BYTES] = "bytes",         [VALUE_DATE] = "date",
    [VALUE_TIME] = "time",     [VALUE_TIMESTAMP] = "timestamp", [VALUE_INTERVAL] = "interval",
    [VALUE_UUID] = "uuid",     [VALUE_JSON] = "json",
};

static void show_type(const struct schema_column *column, struct buffer *out)
{
    const struct value_type *type = &column->type;
    buffer_format(out, " %s%s", type->truth ? "truth-" : "", kind_names[type->kind]);
    if (type->bits > 0) {
        buffer_format(out, "%d", type->bits);
    }
    if (type->precision > 0) {
        buffer_format(out, type->kind == VALUE_DECIMAL ? "(%d,%d)" : "(%d)", type->precision,
                      type->scale);
    }
    if (type->element != NULL) {
        buffer_format(out, " of %s", kind_names[type->element->kind]);
    }
    buffer_append_string(out, type->zoned ? " zoned" : "");
    buffer_append_string(out, type->dates ? " dates" : type->moments ? " moments" : "");
    buffer_append_string(out, column->base != NULL ? " domain" : "");
}

static void show_column(const struct schema_column *column, struct buffer *out)
{
    static const char *const kinds[] = {"", "own", "=", "now", "today", "clock", "counter"};
    buffer_append_string(out, column->name);
    show_type(column, out);
    buffer_append_string(out, column->not_null ? "!" : "");
    buffer_append_string(out, column->identity ? " identity" : "");
    buffer_append_string(out, column->generated != GENERATED_NO ? " generated" : "");
    if (column->default_kind != SCHEMA_DEFAULT_NONE) {
        buffer_format(out, " default %s%s", kinds[column->default_kind],
                      column->default_value != NULL ? column->default_value : "");
    }
    buffer_format(out, column->comment != NULL ? " '%s'" : "%s",
                  column->comment != NULL ? column->comment : "");
}

static void show_list(struct column_list list, struct buffer *out)
{
    for (uint32_t i = 0; i < list.count; i++) {
        buffer_format(out, "%s%s", i > 0 ? "," : "",
                      list.names[i][0] != '\0' ? list.names[i] : "(expression)");
    }
}

static void show_table(const struct schema_table *table, struct buffer *out)
{
    buffer_format(out, "%s(", table->name);
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        show_column(&table->columns[i], out);
    }
    buffer_append_string(out, ")");
    if (table->primary_key.count > 0) {
        buffer_append_string(out, " key ");
        show_list(table->primary_key, out);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        buffer_format(out, " %s%s %s:", index->partial ? "part " : "",
                      index->unique ? "unique" : "index",
                      index->method != NULL ? index->method : "");
        show_list(index->columns, out);
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        const struct schema_foreign_key *key = &table->foreign_keys[i];
        buffer_append_string(out, " fk ");
        show_list(key->columns, out);
        buffer_format(out, ">%s.", key->references);
        show_list(key->referenced_columns, out);
        buffer_format(out, "%s%s", key->on_delete != NULL ? " " : "",
                      key->on_delete != NULL ? key->on_delete : "");
    }
    buffer_format(out, table->comment != NULL ? " '%s'" : "%s",
                  table->comment != NULL ? table->comment : "");
    buffer_append_string(out, "\n");
}

static void show(enum sql_language language, const char *text, struct buffer *out)
{
    struct arena *arena = arena_create(0);
    struct schema schema;
    struct sql_ddl_report report;
    sql_ddl_read(language, text, strlen(text), arena, &schema, &report);
    for (uint32_t i = 0; i < schema.table_count; i++) {
        show_table(&schema.tables[i], out);
    }
    for (uint32_t i = 0; i < report.findings.kept; i++) {
        const struct finding *finding = &report.findings.first[i];
        buffer_format(out, "%u:%u %s\n", finding->line, finding->column, finding->what);
    }
    arena_destroy(arena);
}

struct ddl_case {
    enum sql_language language;
    const char *text;
    const char *shown;
};

static void check(const struct ddl_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer out = {0};
        show(cases[i].language, cases[i].text, &out);
        assert_buffer(&out, cases[i].shown);
        buffer_free(&out);
    }
}

/* ---------------------------------------------------------------- types and properties */

static const struct ddl_case columns[] = {
    {SQL_POSTGRES,
     "CREATE TABLE t (a integer NOT NULL, b character varying(20) DEFAULT 'x'::character varying, "
     "c numeric(10,2) DEFAULT 0.5 NOT NULL, d timestamp without time zone DEFAULT now(), "
     "e timestamp(3) with time zone, f text[], g boolean DEFAULT true, h double precision, "
     "i jsonb DEFAULT '{}'::jsonb, j uuid DEFAULT gen_random_uuid(), k \"char\", l char, m bytea);",
     "t(a int32!, b text(20) default =x, c decimal(10,2)! default =0.5, d timestamp default now, e "
     "timestamp zoned, f text of text, g bool default =1, h double, i json default ={}, j uuid "
     "default own, k text(1), l text(1), m bytes)\n"},
    {SQL_POSTGRES,
     "CREATE TABLE t (a serial PRIMARY KEY, b int GENERATED BY DEFAULT AS IDENTITY (START WITH 5), c "
     "int GENERATED ALWAYS AS (b * 2) STORED, d int UNIQUE CHECK (d > 0), e int REFERENCES u "
     "ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED, f text COLLATE \"C\" CONSTRAINT n NOT NULL);"
     "CREATE TABLE u (id bigint PRIMARY KEY)",
     "t(a int32! default counter, b int32! identity, c int32 generated, d int32, e int32, f text!) "
     "key a unique :d fk e>u.id SET NULL\nu(id int!) key id\n"},
    {SQL_POSTGRES,
     "CREATE TYPE public.mood AS ENUM ('a', 'b'); CREATE DOMAIN year AS integer CONSTRAINT c CHECK "
     "(VALUE > 1900) NOT NULL; CREATE TABLE t (a public.mood DEFAULT 'a'::public.mood, b year, c "
     "mood[], d tsvector, e citext)",
     "t(a text default =a, b int32 domain!, c text of text, d text, e text)\n"},
    {SQL_MYSQL,
     "CREATE TABLE `t` (`a` int(10) unsigned NOT NULL AUTO_INCREMENT, `b` tinyint(1) DEFAULT '1', `c` "
     "bigint unsigned, `d` decimal(5,2) DEFAULT '0.99', `e` enum('a','b,c') CHARACTER SET utf8mb4 "
     "COLLATE utf8mb4_bin NOT NULL DEFAULT 'a', `f` set('x'), `g` timestamp NOT NULL DEFAULT "
     "CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP COMMENT 'it''s', `h` varchar(9), `i` datetime(6), "
     "`j` year(4), `k` bit(1), `l` longtext CHECK (json_valid(`l`)), `m` geometry SRID 4326, `n` "
     "double, `o` varbinary(16), PRIMARY KEY (`a`)) ENGINE=InnoDB COMMENT='all'",
     "t(a int33! identity, b truth-int8 default =1, c uint, d decimal(5,2) default =0.99, e text! "
     "default =a, f text, g timestamp zoned! default now 'it's', h text(9), i timestamp, j int16, k "
     "truth-uint, l json, m bytes, n double, o bytes(16)) key a 'all'\n"},
    {SQL_MYSQL,
     "CREATE TABLE t (a int, b int AS (a + 1) VIRTUAL, c bool, d text, e int, KEY k (d(10)), UNIQUE "
     "KEY u (a, e) USING BTREE, FULLTEXT KEY f (d), INDEX x ((lower(d)), a DESC), CONSTRAINT c FOREIGN "
     "KEY fx (a) REFERENCES `db`.`u` (id) ON DELETE CASCADE ON UPDATE NO ACTION)",
     "t(a int32, b int32 generated, c truth-int8, d text, e int32) part index :(expression) unique :a,e index "
     "FULLTEXT:d index :(expression),a fk a>u.id CASCADE\n"},
    {SQL_SQLITE,
     "CREATE TABLE [t] ([a] INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, [b] NVARCHAR(160) NOT NULL, c "
     "NUMERIC(10,2) NOT NULL, d DATETIME DEFAULT CURRENT_TIMESTAMP, e, f UNSIGNED BIG INT, g REAL "
     "DEFAULT -1.5, h BOOLEAN DEFAULT (1), 'i' DATE, j BLOB, k TEXT COLLATE NOCASE UNIQUE ON CONFLICT "
     "IGNORE, l INT REFERENCES [u] ([id]) ON DELETE NO ACTION ON UPDATE CASCADE NOT DEFERRABLE,)",
     "t(a int! identity, b text!, c decimal(10,2)!, d text moments default now, e text, f int, g "
     "double default =-1.5, h bool default =1, i text dates, j bytes, k text, l int) key a unique :k "
     "fk l>u.id\n"},
    {SQL_SQLITE,
     "CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b DESC)) WITHOUT ROWID, STRICT; CREATE UNIQUE "
     "INDEX IF NOT EXISTS x ON t (b COLLATE NOCASE, lower(a)) WHERE b > 1",
     "t(a text!, b int!) key a,b part unique :b,(expression)\n"},
};

static void test_columns(void **state)
{
    (void)state;
    check(columns, sizeof columns / sizeof columns[0]);
}

/* ---------------------------------------------------------------- whole dumps */

static const struct ddl_case dumps[] = {
    {SQL_POSTGRES,
     "--\n-- PostgreSQL database dump\n--\n\\restrict abc\nSET statement_timeout = 0;\n"
     "SELECT pg_catalog.set_config('search_path', '', false);\n"
     "CREATE FUNCTION public.last_updated() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
     "  NEW.last_update = CURRENT_TIMESTAMP; RETURN NEW;\nEND $$;\n"
     "ALTER FUNCTION public.last_updated() OWNER TO postgres;\n"
     "CREATE TABLE public.actor (\n    actor_id integer NOT NULL,\n    first_name text NOT NULL,\n"
     "    last_update timestamp with time zone DEFAULT now() NOT NULL\n);\n"
     "ALTER TABLE public.actor OWNER TO postgres;\n"
     "COMMENT ON TABLE public.actor IS 'people';\nCOMMENT ON COLUMN public.actor.actor_id IS "
     "'no';\n"
     "CREATE SEQUENCE public.actor_actor_id_seq START WITH 1;\n"
     "ALTER SEQUENCE public.actor_actor_id_seq OWNED BY public.actor.actor_id;\n"
     "CREATE TABLE public.film_actor (\n    actor_id integer NOT NULL,\n    film_id integer NOT "
     "NULL\n)"
     "\nPARTITION BY RANGE (film_id);\n"
     "CREATE TABLE public.film_actor_1 PARTITION OF public.film_actor FOR VALUES FROM (1) TO (9);\n"
     "CREATE TABLE public.film_actor_2 (actor_id integer);\nALTER TABLE ONLY public.film_actor "
     "ATTACH "
     "PARTITION public.film_actor_2 FOR VALUES FROM (9) TO (20);\n"
     "CREATE TABLE public.film (film_id integer NOT NULL, title text, fulltext tsvector);\n"
     "CREATE VIEW public.v AS SELECT 1;\n"
     "ALTER TABLE ONLY public.actor ALTER COLUMN actor_id SET DEFAULT "
     "nextval('public.actor_actor_id_seq'::regclass);\n"
     "COPY public.actor (actor_id, first_name) FROM stdin;\n1\tit's; \\N\n\\.\n"
     "ALTER TABLE ONLY public.actor\n    ADD CONSTRAINT actor_pkey PRIMARY KEY (actor_id);\n"
     "ALTER TABLE ONLY public.film ADD CONSTRAINT film_pkey PRIMARY KEY (film_id);\n"
     "ALTER TABLE ONLY public.film_actor\n    ADD CONSTRAINT film_actor_pkey PRIMARY KEY "
     "(actor_id, "
     "film_id);\n"
     "CREATE INDEX film_fulltext_idx ON public.film USING gist (fulltext);\n"
     "CREATE INDEX idx_title ON public.film USING btree (title varchar_pattern_ops DESC NULLS "
     "LAST) "
     "INCLUDE (film_id);\n"
     "CREATE UNIQUE INDEX idx_lower ON ONLY public.film USING btree (lower(title));\n"
     "ALTER TABLE ONLY public.film_actor\n    ADD CONSTRAINT film_actor_film_id_fkey FOREIGN KEY "
     "(film_id) REFERENCES public.film(film_id) ON UPDATE CASCADE ON DELETE RESTRICT;\n"
     "CREATE TRIGGER last_updated BEFORE UPDATE ON public.film FOR EACH ROW EXECUTE FUNCTION "
     "public.last_updated();\nGRANT ALL ON SCHEMA public TO PUBLIC;\n\\unrestrict abc\n",
     "actor(actor_id int32! default counter 'no', first_name text!, last_update timestamp zoned! "
     "default now) key actor_id 'people'\n"
     "film(film_id int32!, title text, fulltext text) key film_id index gist:fulltext index :title "
     "unique :(expression)\n"
     "film_actor(actor_id int32!, film_id int32!) key actor_id,film_id fk film_id>film.film_id "
     "RESTRICT\n"},
    {SQL_MYSQL,
     "-- MySQL dump 10.13\n/*!40101 SET @OLD=@@X */;\nDROP TABLE IF EXISTS `album`;\n"
     "/*!40101 SET character_set_client = utf8 */;\n"
     "CREATE TABLE `album` (\n  `AlbumId` int NOT NULL,\n  `Title` varchar(160) CHARACTER SET utf8 "
     "COLLATE utf8_general_ci NOT NULL,\n  `ArtistId` int NOT NULL,\n  PRIMARY KEY (`AlbumId`),\n  "
     "KEY "
     "`IFK_AlbumArtistId` (`ArtistId`),\n  CONSTRAINT `FK_AlbumArtistId` FOREIGN KEY (`ArtistId`) "
     "REFERENCES `artist` (`ArtistId`) ON DELETE NO ACTION\n) ENGINE=InnoDB DEFAULT "
     "CHARSET=utf8mb4;\n"
     "LOCK TABLES `album` WRITE;\n/*!40000 ALTER TABLE `album` DISABLE KEYS */;\n"
     "INSERT INTO `album` VALUES (1,'a;\\'b',1);\n/*!40000 ALTER TABLE `album` ENABLE KEYS */;\n"
     "UNLOCK TABLES;\nCREATE TABLE `artist` (`ArtistId` int NOT NULL, `Name` varchar(120) DEFAULT "
     "NULL, PRIMARY KEY (`ArtistId`));\n"
     "/*!50001 CREATE TABLE `v` (`x` int) ENGINE=MyISAM */;\n"
     "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER `t` BEFORE "
     "INSERT ON "
     "`album` FOR EACH ROW BEGIN SET @a = 1; END */;;\nDELIMITER ;\n"
     "/*!50001 DROP TABLE IF EXISTS `v`*/;\n/*!50001 CREATE ALGORITHM=UNDEFINED VIEW `v` AS select "
     "1 "
     "AS `x` */;\n",
     "album(AlbumId int32!, Title text(160)!, ArtistId int32!) key AlbumId index :ArtistId fk "
     "ArtistId>artist.ArtistId\nartist(ArtistId int32!, Name text(120)) key ArtistId\n"},
    {SQL_MYSQL, /* as phpMyAdmin writes it */
     "CREATE TABLE `a` (`id` int(11) NOT NULL, `b_id` int(11), `c` text) ENGINE=InnoDB;\n"
     "ALTER TABLE `a` ADD PRIMARY KEY (`id`), ADD UNIQUE KEY `u` (`c`(20)), ADD KEY `k` (`b_id`);\n"
     "ALTER TABLE `a` MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=5;\n"
     "ALTER TABLE `a` ADD CONSTRAINT `f` FOREIGN KEY (`b_id`) REFERENCES `a` (`id`) ON DELETE SET "
     "NULL,"
     " ADD COLUMN d int AFTER c, CHANGE c cc varchar(5), DROP COLUMN d;",
     "a(id int32! identity, b_id int32, cc text(5)) key id part unique :(expression) index :b_id "
     "fk b_id>a.id SET NULL\n"},
    {SQL_SQLITE,
     "CREATE TABLE \"Order Details\" (\n   \"OrderID\" int NOT NULL,\n   \"ProductID\" int NOT "
     "NULL,\n"
     "   \"UnitPrice\" REAL NOT NULL DEFAULT 0, CHECK ([UnitPrice]>=(0)),\n   CONSTRAINT "
     "\"PK_Order_Details\" PRIMARY KEY (\"OrderID\",\"ProductID\"),\n   FOREIGN KEY (\"OrderID\") "
     "REFERENCES \"Orders\" ON DELETE CASCADE -- why\n);\nCREATE TABLE Orders (OrderID integer "
     "primary "
     "key);\nCREATE TABLE sqlite_sequence(name,seq);\nCREATE INDEX o on \"Order "
     "Details\"(orderid);\n"
     "CREATE TRIGGER t AFTER INSERT ON Orders BEGIN DELETE FROM x; END;\n",
     "Order Details(OrderID int!, ProductID int!, UnitPrice double! default =0) key "
     "OrderID,ProductID "
     "index :OrderID fk OrderID>Orders.OrderID CASCADE\nOrders(OrderID int! identity) key "
     "OrderID\n"},
    {SQL_POSTGRES,
     "CREATE TABLE a.t (x int); CREATE TABLE b.t (y int PRIMARY KEY); CREATE TABLE b.s (y int); "
     "CREATE "
     "TABLE u (z int REFERENCES b.t); CREATE TABLE p (LIKE u INCLUDING ALL, w int) INHERITS (a.t); "
     "ALTER "
     "TABLE u RENAME TO v; ALTER TABLE v RENAME COLUMN z TO zz",
     "a.t(x int32)\np(x int32, z int32, w int32)\ns(y int32)\nt(y int32!) key y\nv(zz int32) fk "
     "zz>t.y\n"},
    {SQL_POSTGRES,
     "CREATE TABLE other.film (id int, film_id int REFERENCES public.film); CREATE TABLE other.b "
     "(x int); "
     "CREATE TABLE public.film (film_id int PRIMARY KEY)",
     "film(film_id int32!) key film_id\nother.b(x int32)\nother.film(id int32, film_id int32) fk "
     "film_id>film.film_id\n"},
};

static void test_dumps(void **state)
{
    (void)state;
    check(dumps, sizeof dumps / sizeof dumps[0]);
}

/* ---------------------------------------------------------------- what is not understood */

static const struct ddl_case faults[] = {
    {SQL_POSTGRES, "", ""},
    {SQL_POSTGRES, "this is no SQL", "1:1 expected a statement, not this\n"},
    {SQL_POSTGRES, "CREATE TABLE t (a int, , b text);\nCREATE TABLE u (x int",
     "t(a int32, b text)\nu(x int32)\n1:24 expected a column's name, not ,\n"
     "2:16 a parenthesis that does not close\n2:22 expected ), but the statement ends\n"},
    {SQL_POSTGRES, "CREATE TABLE t (a int frob, b text, a int)",
     "t(a text, b text)\n1:37 the column a is there twice\n"},
    {SQL_POSTGRES, "create table t (a text); create table if not exists t (b int)", "t(a text)\n"},
    {SQL_POSTGRES, "create table t (a text); create table T (b int)",
     "t(a text)\n1:39 the table t is there twice\n"},
    {SQL_POSTGRES, "create table t (a text); drop table t; create table t (b int)", "t(b int32)\n"},
    {SQL_POSTGRES, "CREATE TABLE t AS SELECT 1; CREATE TABLE t",
     "1:16 expected ( and columns, not AS\n1:43 expected ( and columns, but the statement ends\n"},
    {SQL_POSTGRES, "CREATE INDEX i ON nowhere (a); ALTER TABLE nowhere ADD PRIMARY KEY (a)",
     "1:19 there is no table nowhere to be indexed\n1:44 there is no table nowhere to be altered\n"},
    {SQL_SQLITE, "CREATE VIRTUAL TABLE f USING fts5(a); CREATE TABLE t (a 'x",
     "t(a text)\n1:16 a virtual table is no table of this program\n"
     "1:57 a string that does not end\n1:57 expected a property of the column, not 'x\n"
     "1:59 expected ), but the statement ends\n"},
    {SQL_MYSQL, "CREATE TABLE t (a int DEFAULT, KEY (), CHECK a)",
     "t(a int32) index :(expression)\n1:30 expected a default, not ,\n"
     "1:46 expected ( and a condition, not a\n"},
};

static void test_faults(void **state)
{
    (void)state;
    check(faults, sizeof faults / sizeof faults[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_dumps),
                                       cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
