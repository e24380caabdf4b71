# The commands of every day. Everything else is in deploy/local.

BUS ?= postgres
OLDER ?= $(shell git describe --tags --abbrev=0 2>/dev/null || echo HEAD~1)
MINUTES ?= 10
SECONDS ?= 30
export BUS ONCE
# A Rust installed a minute ago is not on the PATH of this shell yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

LOCAL := deploy/local
SERVICES := postgres $(filter rabbitmq,$(BUS))

.DEFAULT_GOAL := help
.PHONY: help demo test test-avif test-rolling soak fuzz lint services-up services-down clean-data

help:
	@echo 'make demo           build, start what is needed and show everything; Ctrl-C ends it'
	@echo '                    BUS=rabbitmq          daemons as processes of their own over RabbitMQ'
	@echo '                    ONCE=1                end when all is done; the exit status says whether all went well'
	@echo '                    PICTURES="a.jpg b/"   import these pictures instead of the shipped ones'
	@echo 'make test           start private services, run every test, stop them again'
	@echo 'make test-avif      the same for what reads AVIF, a feature that is off by default'
	@echo 'make test-rolling   update and take back daemons of an older commit, OLDER=HEAD~1, beside those of this one'
	@echo 'make soak           keep artworks coming for MINUTES=10; memory must stay flat and nothing be lost'
	@echo 'make fuzz           any bytes against the gate and the whole of cutting, SECONDS=30 each, led by coverage'
	@echo 'make lint           formatting, lints, documentation, scripts, licences and advisories'
	@echo 'make services-up    a private Postgres and RabbitMQ that stay; prints how to reach them'
	@echo 'make services-down  stop them; their data stays'
	@echo 'make clean-data     stop them and delete .atelier with all data, pictures and the site'

demo:
	$(if $(filter postgres rabbitmq,$(BUS)),,$(error BUS is '$(BUS)'; it must be postgres or rabbitmq))
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/with-services.sh run $(SERVICES) -- $(LOCAL)/demo.sh $(PICTURES)

test:
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/with-services.sh test postgres rabbitmq -- $(LOCAL)/test.sh

# Builds what decodes and cuts once more, with the feature: as long again as most of the rest.
test-avif:
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/with-services.sh test postgres -- cargo test --locked --features avif \
		--package atelier-producer --package atelier-thumbnails --package atelier-standalone -- avif

# Builds the daemons of an older commit beside those of this one, and so takes twice as long as a build.
test-rolling:
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/with-services.sh test postgres rabbitmq -- $(LOCAL)/rolling.sh "$(OLDER)"

# One test of many, run for longer: without the test runner and its time limits, and with what it measured.
soak:
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/with-services.sh test postgres rabbitmq -- env ATELIER_SOAK_S=$$(( $(MINUTES) * 60 )) sh -ec '\
		cargo build --locked --workspace --bins; \
		cargo test --locked --package atelier-e2e --test it -- soak --nocapture'

fuzz:
	@$(LOCAL)/toolchain.sh
	@$(LOCAL)/fuzz.sh $(SECONDS)

lint:
	@$(LOCAL)/lint.sh

services-up:
	@$(LOCAL)/postgres.sh up
	@$(LOCAL)/rabbitmq.sh up
	@echo "export ATELIER__DATABASE__URL=$$($(LOCAL)/postgres.sh url)"
	@echo "export ATELIER__BUS__URL=$$($(LOCAL)/rabbitmq.sh url)"

services-down:
	@$(LOCAL)/rabbitmq.sh down
	@$(LOCAL)/postgres.sh down

clean-data:
	@$(LOCAL)/clean-data.sh
