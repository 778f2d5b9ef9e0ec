# `make demo` and `make test` are all the set-up there is: what is missing is installed, or the exact line is printed.
.PHONY: demo console test bench safety docs fuzz ci fmt

CARGO ?= cargo
PROFILE := --release

demo:
	@./scripts/need.sh build
	@./scripts/notice.sh demo
	@$(CARGO) run $(PROFILE) -- demo $(ARGS)

console:
	@./scripts/need.sh build console
	@./scripts/notice.sh console
	@$(CARGO) run $(PROFILE) -p operator-console --bin takeover-console -- $(ARGS)

test:
	@./scripts/need.sh build console test
	@./scripts/notice.sh test
	@./scripts/test.sh

bench:
	@./scripts/need.sh build
	@./scripts/notice.sh bench
	@$(CARGO) run $(PROFILE) -- bench $(ARGS)

safety:
	@./scripts/need.sh build
	@./scripts/notice.sh safety
	@./scripts/safety.sh $(ARGS)

docs:
	@./scripts/need.sh build console test
	@./scripts/measure.sh $(ARGS)

fuzz:
	@./scripts/need.sh build
	@./scripts/fuzz.sh $(ARGS)

ci:
	@./.ci/run

fmt:
	@$(CARGO) fmt --all
