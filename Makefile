# strm: Kafka's log as a Unix tool.  `make help` lists the targets.

O ?= build
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
DESTDIR ?=

VERSION := $(shell cat VERSION)
SOVERSION := 0

# CFLAGS and LDFLAGS are the user's; ours are below and always apply.
CFLAGS ?= -O2 -g
STD := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wvla -Werror
HARDEN := -fstack-protector-strong -fPIC
ifeq ($(findstring -O0,$(CFLAGS))$(findstring -fsanitize,$(CFLAGS)),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
OURS := $(STD) $(WARN) $(HARDEN) -pthread

# Small libraries are linked statically where Debian ships them so: a dynamic
# zstd, lz4, snappy (with libstdc++), zlib and jansson would double the time
# that strm takes to start.  Debian has no static ISA-L.
STATIC_LIBS := -Wl,-Bstatic -lzstd -llz4 -lsnappy -lstdc++ -lz -ljansson \
	-Wl,-Bdynamic -static-libgcc
SHARED_LIBS := -lzstd -llz4 -lsnappy -lz -ljansson -lisal
LINK := -Wl,-z,relro,-z,now -Wl,--as-needed -pthread

LIB_SRC := $(wildcard libstream/*/*.c)
LIB_SRC := $(filter-out libstream/include/%,$(LIB_SRC))
CMD_SRC := $(wildcard cmd/*.c cmd/cli/*.c)
# Apart from the rest: only strm-archive is linked with libarchive, whose own
# libraries would double the time that strm takes to start.
ARCHIVE_LIB_SRC := $(wildcard libstream/port/archive*.c)
ARCHIVE_CMD_SRC := $(wildcard cmd/archive*.c)
ARCHIVE_SRC := $(ARCHIVE_LIB_SRC) $(ARCHIVE_CMD_SRC)
LIB_SRC := $(filter-out $(ARCHIVE_SRC),$(LIB_SRC))
CMD_SRC := $(filter-out $(ARCHIVE_SRC),$(CMD_SRC))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
TOOL_SRC := $(wildcard tests/fault/*.c tests/tools/*.c bench/*.c)
PRELOAD_SRC := tests/fault/nomem.c
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
CMD_OBJ := $(CMD_SRC:%.c=$(O)/%.o)
ARCHIVE_LIB_OBJ := $(ARCHIVE_LIB_SRC:%.c=$(O)/%.o)
ARCHIVE_CMD_OBJ := $(ARCHIVE_CMD_SRC:%.c=$(O)/%.o)
ARCHIVE_OBJ := $(ARCHIVE_LIB_OBJ) $(ARCHIVE_CMD_OBJ)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(O)/tests/unit/%)
TOOL_BIN := $(patsubst %.c,$(O)/%,$(filter-out $(PRELOAD_SRC),$(TOOL_SRC))) \
	$(PRELOAD_SRC:%.c=$(O)/%.so)

PYTHON ?= /usr/bin/python3
export STRM ?= $(abspath $(O))/strm
export STRM_BUILD ?= $(abspath $(O))
export STRM_SOURCE_DIR := $(CURDIR)
export STRM_GOLDEN ?= $(abspath ../shared/golden)
export PYTHON

ifneq ($(V),1)
Q := @
say = @printf '  %-6s %s\n'
else
say = @:
endif

all: $(O)/strm $(O)/strm-archive $(O)/strm-restore $(O)/libstream.a $(O)/libstream.so $(O)/libstream.pc $(O)/refdec ## build strm and libstream

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n",$$1,$$2}' Makefile

$(O)/%.o: %.c Makefile
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(OURS) $(INC) -MMD -MP $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(LIB_OBJ) $(ARCHIVE_LIB_OBJ): INC := -Ilibstream -Ilibstream/include
$(CMD_OBJ) $(ARCHIVE_CMD_OBJ): VERSION
$(ARCHIVE_CMD_OBJ): INC := -Icmd -Ilibstream -Ilibstream/include -DSTRM_VERSION='"$(VERSION)"'
$(CMD_OBJ): INC := -Icmd -Ilibstream/include -DSTRM_VERSION='"$(VERSION)"'

$(O)/libstream.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/libstream.so.$(SOVERSION): $(LIB_OBJ) libstream/libstream.map
	$(say) LD $@
	$(Q)$(CC) -shared -Wl,-soname,libstream.so.$(SOVERSION) \
		-Wl,--version-script=libstream/libstream.map \
		$(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $(LIB_OBJ) $(SHARED_LIBS)

$(O)/libstream.so: $(O)/libstream.so.$(SOVERSION)
	$(Q)ln -sf $(<F) $@

# Looked at each time: `make` and `make install` may be told other prefixes.
$(O)/libstream.pc: libstream/libstream.pc.in FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' $< > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:

$(O)/strm: $(CMD_OBJ) $(O)/libstream.a
	$(say) LD $@
	$(Q)$(CC) -pie $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(STATIC_LIBS) -lisal -lm

# All commands are in it too, for those that read an archive in place.
$(O)/strm-archive: $(ARCHIVE_OBJ) $(filter-out $(O)/cmd/strm.o,$(CMD_OBJ)) $(O)/libstream.a
	$(say) LD $@
	$(Q)$(CC) -pie $(LINK) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(SHARED_LIBS) -larchive -lm

# One program: its name says what it does.
$(O)/strm-restore: $(O)/strm-archive
	$(Q)ln -sf $(<F) $@

# The second decoder: no code of ours, no header of ours.
REFDEC_SRC := $(wildcard format/refdec/*.c)
$(O)/refdec: $(REFDEC_SRC) format/refdec/refdec.h Makefile
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) $(CFLAGS) $(LDFLAGS) -o $@ $(REFDEC_SRC) \
		-lzstd -llz4 -lsnappy -lz

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(ARCHIVE_OBJ:.o=.d) $(UNIT_BIN:=.d) $(TOOL_BIN:=.d)

# --- tests ---------------------------------------------------------------

$(O)/tests/unit/%: tests/unit/%.c $(O)/libstream.a $(filter-out $(O)/cmd/strm.o,$(filter $(O)/cmd/cli/%,$(CMD_OBJ))) Makefile
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -pthread -Itests -Icmd -Ilibstream \
		-Ilibstream/include -MMD -MP $(CFLAGS) $(LDFLAGS) -o $@ $< \
		$(filter $(O)/cmd/cli/%.o $(ARCHIVE_LIB_OBJ),$^) \
		$(O)/libstream.a $(SHARED_LIBS) $(ARCHIVE_LIBS) -lcmocka -lm

$(O)/tests/unit/test_archive $(O)/tests/unit/test_archive_choose: $(ARCHIVE_LIB_OBJ)
$(O)/tests/unit/test_archive $(O)/tests/unit/test_archive_choose: \
	ARCHIVE_LIBS := -larchive

$(O)/tests/fault/%: tests/fault/%.c Makefile
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -pthread -MMD -MP -O2 -g -o $@ $<

$(O)/tests/fault/%.so: tests/fault/%.c Makefile
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -shared -fPIC -O2 -g -o $@ $<

# These use the library as others do: its public headers.
$(O)/tests/tools/%: tests/tools/%.c $(O)/libstream.a Makefile
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -pthread -Ilibstream/include -MMD -MP $(CFLAGS) \
		$(LDFLAGS) -o $@ $< $(O)/libstream.a $(SHARED_LIBS) -lm

$(O)/bench/%: bench/%.c Makefile
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(STD) $(WARN) -pthread -MMD -MP -O2 -g -o $@ $< -lm

tools: $(TOOL_BIN)

check: deps ## install what is missing, then run every test (short forms)
	$(Q)$(MAKE) --no-print-directory check-all

# Every suite runs, also after one failed; the last line counts all tests.
SUITES := lint check-unit check-cli check-interop check-fault-short check-fuzz

check-all: all tools $(UNIT_BIN)
	@rm -rf "$(STRM_BUILD)/results"
	@status=0; \
	for suite in $(SUITES); do \
		$(MAKE) --no-print-directory $$suite || status=1; \
	done; \
	tests/total && exit $$status

check-unit: $(UNIT_BIN) ## unit tests (cmocka)
	$(Q)tests/run-unit $(UNIT_BIN)

check-cli: all tools ## command-line tests (Bats)
	$(Q)tests/run-bats tests/cli

check-interop: all tools ## python3-kafka and golden directories
	$(Q)tests/run-bats tests/interop

check-fault-short: all tools
	$(Q)STRM_FAULT=short tests/run-bats tests/fault

COMPACT_SEEDS ?= 1000

check-compact: all ## compaction of COMPACT_SEEDS random logs (long)
	$(Q)$(PYTHON) tests/interop/compact.py random 1000 $(COMPACT_SEEDS)
	$(Q)$(PYTHON) tests/interop/compact.py rounds 1000 $(COMPACT_SEEDS)
	$(Q)$(PYTHON) tests/interop/compact.py large 1000 $$(($(COMPACT_SEEDS) / 20))

check-compact-big: all tools ## compaction of 5,000,000 records (long)
	$(Q)$(PYTHON) tests/interop/compact_big.py 5000000 128MiB none
	$(Q)$(PYTHON) tests/interop/compact_big.py 5000000 8MiB zstd

check-fault: all tools $(O)/tests/unit/test_swaps ## every fault, in full (long)
	$(Q)STRM_FAULT=long tests/run-bats tests/fault
	$(Q)STRM_SWAPS=5000 tests/run-unit $(O)/tests/unit/test_swaps

sanitize: ## the unit and command-line tests under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory O=$(O)/sanitize STATIC_LIBS='$(SHARED_LIBS)' \
		CFLAGS='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' \
		STRM=$(abspath $(O))/sanitize/strm \
		STRM_BUILD=$(abspath $(O))/sanitize check-unit check-cli

# --- fuzzing -------------------------------------------------------------

# One program for all targets (its name says which), since linking thirteen
# would take longer than a short run of each.
FUZZ_CC ?= clang-14
FUZZ_CFLAGS ?= -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
FUZZ_SRC := $(wildcard tests/fuzz/*.c) format/refdec/refdec.c \
	format/refdec/codecs.c
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(O)/fuzz/%.o)
FUZZ_LIB_OBJ := $(LIB_SRC:%.c=$(O)/fuzz/%.o) \
	$(ARCHIVE_LIB_SRC:%.c=$(O)/fuzz/%.o)
FUZZ_SECONDS ?= 3600

$(O)/fuzz/%.o: %.c Makefile
	$(say) FUZZCC $<
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(STD) $(WARN) -pthread -Ilibstream -Ilibstream/include \
		-Iformat -MMD -MP $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link \
		-c $< -o $@

$(O)/fuzz/strm-fuzz: $(FUZZ_OBJ) $(FUZZ_LIB_OBJ)
	$(say) LD $@
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -pthread -o $@ $^ \
		$(SHARED_LIBS) -larchive -lm

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_LIB_OBJ:.o=.d)

check-fuzz: $(O)/fuzz/strm-fuzz ## each fuzz target on its seeds, then 1 s
	$(Q)tests/run-fuzz -s 1

fuzz: $(O)/fuzz/strm-fuzz ## each fuzz target for FUZZ_SECONDS (an hour)
	$(Q)tests/run-fuzz -k -s $(FUZZ_SECONDS)

bench: all tools ## measure against cat and print the ratios
	$(Q)bench/run

lint: all ## layers, headers, formatting, manuals, scripts, completions
	$(Q)STRM_CFLAGS='$(STD) $(WARN)' tests/lint/run

format: ## let clang-format lay out all C files
	$(Q)clang-format-14 -i $$(find cmd libstream tests bench format -name '*.[ch]')

# --- installing ----------------------------------------------------------

deps: ## install the Debian packages that are missing
	$(Q)./deps

demo: ## install what is missing, build, and run the main job on a sample
	$(Q)./deps --build
	$(Q)$(MAKE) --no-print-directory all
	$(Q)bench/demo

MAN_PAGES := $(wildcard man/*.[1357])

install: all ## install under $(DESTDIR)$(PREFIX)
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' \
		'$(DESTDIR)$(INCLUDEDIR)/stream' \
		'$(DESTDIR)$(DATADIR)/bash-completion/completions' \
		'$(DESTDIR)$(DATADIR)/zsh/site-functions' \
		'$(DESTDIR)$(DATADIR)/fish/vendor_completions.d'
	install -m 755 $(O)/strm $(O)/strm-archive '$(DESTDIR)$(BINDIR)'
	ln -sf strm-archive '$(DESTDIR)$(BINDIR)/strm-restore'
	install -m 644 $(O)/libstream.a $(O)/libstream.so.$(SOVERSION) \
		'$(DESTDIR)$(LIBDIR)'
	ln -sf libstream.so.$(SOVERSION) '$(DESTDIR)$(LIBDIR)/libstream.so'
	install -m 644 $(O)/libstream.pc '$(DESTDIR)$(LIBDIR)/pkgconfig'
	install -m 644 libstream/include/stream.h '$(DESTDIR)$(INCLUDEDIR)'
	install -m 644 libstream/include/stream/*.h \
		'$(DESTDIR)$(INCLUDEDIR)/stream'
	for page in $(MAN_PAGES); do \
		section=$${page##*.}; \
		install -D -m 644 $$page \
			'$(DESTDIR)$(MANDIR)'/man$$section/$${page##*/} || \
			exit 1; \
	done
	install -m 644 completions/strm.bash \
		'$(DESTDIR)$(DATADIR)/bash-completion/completions/strm'
	install -m 644 completions/_strm \
		'$(DESTDIR)$(DATADIR)/zsh/site-functions'
	install -m 644 completions/strm.fish \
		'$(DESTDIR)$(DATADIR)/fish/vendor_completions.d'

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(BINDIR)/strm' '$(DESTDIR)$(BINDIR)/strm-archive' \
		'$(DESTDIR)$(BINDIR)/strm-restore' \
		'$(DESTDIR)$(LIBDIR)/libstream.a' \
		'$(DESTDIR)$(LIBDIR)/libstream.so' \
		'$(DESTDIR)$(LIBDIR)/libstream.so.$(SOVERSION)' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/libstream.pc' \
		'$(DESTDIR)$(INCLUDEDIR)/stream.h' \
		'$(DESTDIR)$(DATADIR)/bash-completion/completions/strm' \
		'$(DESTDIR)$(DATADIR)/zsh/site-functions/_strm' \
		'$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/strm.fish'
	rm -rf '$(DESTDIR)$(INCLUDEDIR)/stream'
	for page in $(MAN_PAGES); do \
		rm -f '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$${page##*/}; \
	done

dist: ## a source archive of the last commit in build/
	@mkdir -p $(O)
	git archive --format=tar.gz --prefix=strm-$(VERSION)/ \
		-o $(O)/strm-$(VERSION).tar.gz HEAD

clean: ## remove everything that was built
	rm -rf $(O)

.PHONY: all help tools check check-all check-unit check-cli check-interop \
	check-fault-short check-fault check-compact check-compact-big check-fuzz fuzz sanitize bench lint format \
	deps demo install uninstall dist clean
.DELETE_ON_ERROR:
