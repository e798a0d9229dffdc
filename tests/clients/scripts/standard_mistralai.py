"""LangChain's standard suites for chat models, through langchain-mistralai."""

from langchain_mistralai import ChatMistralAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from standard_shared import Served


class TestUnit(Served, ChatModelUnitTests):
    @property
    def chat_model_class(self):
        return ChatMistralAI


class TestIntegration(Served, ChatModelIntegrationTests):
    @property
    def chat_model_class(self):
        return ChatMistralAI
