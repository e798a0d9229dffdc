"""LangChain's standard suites for chat models, through langchain-openai."""

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from standard_shared import Served


class TestUnit(Served, ChatModelUnitTests):
    @property
    def chat_model_class(self):
        return ChatOpenAI


class TestIntegration(Served, ChatModelIntegrationTests):
    @property
    def chat_model_class(self):
        return ChatOpenAI
