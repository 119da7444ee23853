# Fuzzing.  A target is tests/fuzz/TARGET.c; its seeds are the files in corpus/TARGET/.
#   make fuzz                                                 all in turn, ten minutes each
#   make fuzz FUZZ_TARGETS=wire_reply FUZZ_SECONDS=60
# What a run adds goes to $(FUZZ_BUILD): inputs that reach something new into corpus/TARGET/,
# finds into found/, named after their target.  `make check` needs no fuzzer: replay.c runs
# each target over its seeds.

FUZZ_SHARED  := replay wrap
FUZZ_ALL     := $(filter-out $(FUZZ_SHARED),$(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ_TARGETS := $(FUZZ_ALL)
FUZZ_SECONDS := 600
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_OPTIONS := -max_len=20000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1

FUZZ_REPLAYS := $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZ_ALL))
T += $(FUZZ_REPLAYS)

# What of libc goes through wrap.c.
FUZZ_WRAP := $(addprefix -Xlinker --wrap=,mmap munmap malloc strdup fmemopen read fstat \
	scandirat openat open asprintf __asprintf_chk)
FUZZ_OBJECTS := $(patsubst %,$(BUILD)/tests/fuzz/%.o,$(FUZZ_ALL) $(FUZZ_SHARED))
$(FUZZ_OBJECTS): ALL_CFLAGS += -Ipam_ibmiam/broker
-include $(FUZZ_OBJECTS:.o=.d)

check-built: $(FUZZ_REPLAYS)

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o \
		$(BUILD)/tests/fuzz/wrap.o $(TESTED)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(FUZZ_WRAP) -o $@ $^ $(BROKER_LIBS)

$(BUILD)/tests/fuzz/%.fuzzer: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/wrap.o $(TESTED)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer $(FUZZ_WRAP) -o $@ $^ $(BROKER_LIBS)

# Without _FORTIFY_SOURCE, whose variants of memcpy() and others AddressSanitizer does not see.
fuzz:
	@tests/deps clang libclang-rt-14-dev $(BUILD_PACKAGES)
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang HARDEN= CFLAGS='-O1 -g' \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzz-built

fuzz-built: $(patsubst %,$(BUILD)/tests/fuzz/%.fuzzer,$(FUZZ_TARGETS))
	@failed=; for target in $(FUZZ_TARGETS); do \
		echo "== $$target, $(FUZZ_SECONDS) s"; \
		mkdir -p $(BUILD)/corpus/$$target $(BUILD)/found; \
		$(BUILD)/tests/fuzz/$$target.fuzzer $(FUZZ_OPTIONS) -max_total_time=$(FUZZ_SECONDS) \
			$$(test ! -e tests/fuzz/$$target.dict || echo -dict=tests/fuzz/$$target.dict) \
			-artifact_prefix=$(BUILD)/found/$$target- \
			$(BUILD)/corpus/$$target tests/fuzz/corpus/$$target || failed="$$failed $$target"; \
	done; \
	test -z "$$failed" || { echo "failed:$$failed; see $(BUILD)/found" >&2; exit 1; }

.PHONY: fuzz fuzz-built
